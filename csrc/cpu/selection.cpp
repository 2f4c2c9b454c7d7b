#include "selection.h"

#include <cmath>
#include <cstring>
#include <iterator>

#include "key_range.h"
#include "select_isa.h"
#include "sgnn/dispatch.h"
#include "sgnn/ordered_key.h"
#include "sgnn/random.h"

namespace sgnn::cpu {
namespace {

constexpr int64_t kPartsPerThread = 16;
constexpr int64_t kPartUnit = 64;  // parts begin at multiples of it
constexpr int64_t kChunk = 4096;   // scores of one call of a pass
constexpr int64_t kSampleRun = 16;
constexpr int64_t kMaxSample = 16384;
constexpr int64_t kDirectCount = 8192;  // candidates ranked without a histogram
constexpr size_t kRepeatedShare = 4;    // a key is set apart from this part of the sampled ones on
constexpr double kDeviations = 3.0;     // of the sample's rank, on both sides of the bracket

void scan(const SelectScores& from, int64_t begin, int64_t end, ScanPass& pass) {
  SGNN_CALL_ISA(select_scan, from, begin, end, pass);
}

void write(const SelectScores& from, int64_t begin, int64_t end, WritePass& pass) {
  SGNN_CALL_ISA(select_write, from, begin, end, pass);
}

// Calls use(key) for the scores [begin, end) that take part.
template <typename Use>
void for_each_key(const SelectScores& from, int64_t begin, int64_t end, const Use& use) {
  dispatch_dtype(from.dtype, [&](auto type) {
    const auto* scores = static_cast<const typename decltype(type)::type*>(from.scores);
    for (int64_t i = begin; i < end; ++i) {
      if (from.mask != nullptr && (from.mask[i] != 0) != from.mask_value) continue;
      use(static_cast<uint64_t>(ordered_key(scores[i], from.magnitude)));
    }
  });
}

// Positions count the tensors in their order; a part is a range of positions.
struct Part {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t above = 0;
  int64_t inside = 0;
  bool complete = false;  // candidates holds all that is inside
  std::vector<Candidate> candidates;
};

class Selection {
 public:
  Selection(const std::vector<SelectTensor>& tensors, const Executor& executor)
      : tensors_(tensors), executor_(executor) {
    offsets_.push_back(0);
    for (const SelectTensor& tensor : tensors) offsets_.push_back(offsets_.back() + tensor.size);
    const int64_t units = (total() + kPartUnit - 1) / kPartUnit;
    const bool serial = total() < kSerialScores;
    const int64_t parts = serial ? 1 : std::min(units, executor.threads * kPartsPerThread);
    parts_.resize(static_cast<size_t>(parts));
    for (int64_t p = 0; p < parts; ++p) {
      parts_[p].begin = units * p / parts * kPartUnit;
      parts_[p].end = std::min(units * (p + 1) / parts * kPartUnit, total());
    }
  }

  void run(int64_t k) {
    if (k == 0) return clear();
    k_ = k;
    KeyRange range = bracket(k);
    scan_parts(range);
    const int64_t above = sum(&Part::above);
    const int64_t inside = sum(&Part::inside);
    if (above < k && k <= above + inside) {
      range.rank = k - above;
    } else {
      range = above >= k ? KeyRange{range.high + 1, max_key(), k}
                         : KeyRange{0, range.low - 1, k - above - inside};
      range = narrow(range);
      scan_parts(range);
    }
    while (!complete() && range.low < range.high) {
      uint64_t key;
      if (!repeated_key(range, &key)) {
        range = narrow(range);
        scan_parts(range);
      } else if (range = split(range, key); range.low < range.high) {
        scan_parts(range);
      }
    }
    if (complete()) return settle(range);
    write_ties(range);
  }

 private:
  int64_t total() const { return offsets_.back(); }

  uint64_t max_key() const {
    return tensors_[0].scores.dtype == DType::kFloat64 ? UINT64_MAX : UINT32_MAX;
  }

  int64_t sum(int64_t Part::* count) const {
    int64_t total = 0;
    for (const Part& part : parts_) total += part.*count;
    return total;
  }

  bool complete() const {
    return std::all_of(parts_.begin(), parts_.end(),
                       [](const Part& part) { return part.complete; });
  }

  template <typename Body>
  void for_each_part(const Body& body) {
    const auto count = static_cast<int64_t>(parts_.size());
    if (count == 1) return body(parts_[0]);
    executor_.run(count, [&](int64_t p) { body(parts_[p]); });
  }

  // Calls use(tensor, begin, end) over the pieces of the positions [begin, end), of at most
  // `longest` scores.
  template <typename Use>
  void for_each_piece(int64_t begin, int64_t end, int64_t longest, const Use& use) const {
    auto t = std::upper_bound(offsets_.begin(), offsets_.end(), begin) - offsets_.begin() - 1;
    while (begin < end) {
      const int64_t last = std::min({end, offsets_[t + 1], begin + longest});
      if (begin < last) use(tensors_[t], begin - offsets_[t], last - offsets_[t]);
      begin = last;
      if (last == offsets_[t + 1]) ++t;
    }
  }

  void clear() {
    for_each_part([&](Part& part) {
      for_each_piece(part.begin, part.end, total(),
                     [](const SelectTensor& t, int64_t i, int64_t n) {
                       memset(t.keep + i, 0, static_cast<size_t>(n - i));
                     });
    });
  }

  // Keys of evenly spread short runs, and in *positions how many positions were looked at.
  std::vector<uint64_t> sample(int64_t* positions) const {
    const int64_t runs = std::min(kMaxSample, total() / 64) / kSampleRun;
    const int64_t stride = total() / runs;
    std::vector<uint64_t> keys;
    keys.reserve(static_cast<size_t>(runs * kSampleRun));
    for (int64_t run = 0; run < runs; ++run) {
      // A random place within the stride: a period of the scores must not hide from the sample.
      const uint32_t word = philox(0, static_cast<uint64_t>(run)).word[0];
      const auto jitter = static_cast<int64_t>(
          bounded(word, static_cast<uint64_t>(std::min(stride - kSampleRun, int64_t{UINT32_MAX}))));
      const int64_t begin = run * stride + jitter;
      for_each_piece(begin, begin + kSampleRun, kSampleRun,
                     [&](const SelectTensor& t, int64_t i, int64_t n) {
                       for_each_key(t.scores, i, n, [&](uint64_t key) { keys.push_back(key); });
                     });
    }
    *positions = runs * kSampleRun;
    return keys;
  }

  // A range that holds the k-th largest key with high probability.
  KeyRange bracket(int64_t k) {
    KeyRange range{0, max_key(), k};
    if (total() <= kChunk) return range;
    int64_t positions;
    std::vector<uint64_t> keys = sample_ = sample(&positions);
    const double share = static_cast<double>(k) / static_cast<double>(total());
    const double rank = share * static_cast<double>(positions);
    const double spread = kDeviations * std::sqrt(rank * (1.0 - share)) + 3.0;
    const auto first = static_cast<int64_t>(std::floor(rank - spread));
    const auto last = static_cast<int64_t>(std::ceil(rank + spread));
    if (last <= static_cast<int64_t>(keys.size())) {
      range.low = rank_largest(keys, last);
      keys.resize(static_cast<size_t>(last));  // the largest come first
    }
    if (first >= 1 && first <= static_cast<int64_t>(keys.size())) {
      range.high = rank_largest(keys, first);
    }
    return range;
  }

  void scan_parts(const KeyRange& range, bool collect = true) {
    for_each_part([&](Part& part) { scan_part(range, collect, part); });
  }

  void scan_part(const KeyRange& range, bool collect, Part& part) const {
    const auto limit = static_cast<size_t>(std::max((part.end - part.begin) / 8, kChunk));
    Candidate found[kChunk];
    part.above = part.inside = 0;
    part.complete = collect;
    part.candidates.clear();
    for_each_piece(part.begin, part.end, kChunk, [&](const SelectTensor& t, int64_t i, int64_t n) {
      ScanPass pass{range.low, range.high, t.keep, part.complete ? found : nullptr};
      scan(t.scores, i, n, pass);
      part.above += pass.above;
      part.inside += pass.inside;
      if (part.complete) {
        part.candidates.insert(part.candidates.end(), found, found + pass.inside);
        part.complete = part.candidates.size() <= limit;
      }
    });
  }

  // The most frequent sampled key inside `range`, where it makes up a good part of them.
  bool repeated_key(const KeyRange& range, uint64_t* key) const {
    std::vector<uint64_t> keys;
    std::copy_if(sample_.begin(), sample_.end(), std::back_inserter(keys),
                 [&](uint64_t sampled) { return range.contains(sampled); });
    std::sort(keys.begin(), keys.end());
    size_t most = 1;
    for (size_t first = 0, i = 0; i < keys.size(); ++i) {
      if (keys[i] != keys[first]) first = i;
      if (i + 1 - first <= most) continue;
      most = i + 1 - first;
      *key = keys[i];
    }
    return most > 1 && most * kRepeatedShare >= keys.size();
  }

  // The part of `range` beside `key`, or `key` alone, that holds the key looked for: one pass sets
  // a tie of many scores apart, where histograms would take several to reach it.
  KeyRange split(const KeyRange& range, uint64_t key) {
    scan_parts({key, key, 0}, false);
    const int64_t above = sum(&Part::above) - (k_ - range.rank);
    const int64_t ties = sum(&Part::inside);
    if (range.rank <= above) return {key + 1, range.high, range.rank};
    if (range.rank <= above + ties) return {key, key, range.rank - above};
    return {range.low, key - 1, range.rank - above - ties};
  }

  // The bucket of `range` that holds the key looked for; fill(part, histogram) adds a part's keys.
  template <typename Fill>
  KeyRange narrow_by(const KeyRange& range, const Fill& fill) {
    std::vector<KeyHistogram> histograms(parts_.size(), KeyHistogram(range));
    for_each_part([&](Part& part) { fill(part, histograms[&part - parts_.data()]); });
    for (size_t p = 1; p < histograms.size(); ++p) histograms[0].add(histograms[p]);
    return histograms[0].narrowed();
  }

  KeyRange narrow(const KeyRange& range) {
    return narrow_by(range, [&](const Part& part, KeyHistogram& histogram) {
      for_each_piece(part.begin, part.end, total(),
                     [&](const SelectTensor& t, int64_t i, int64_t n) {
                       for_each_key(t.scores, i, n, [&](uint64_t key) { histogram.add(key); });
                     });
    });
  }

  uint64_t threshold(KeyRange range) {
    if (sum(&Part::inside) > kDirectCount) {
      range = narrow_by(range, [](const Part& part, KeyHistogram& histogram) {
        for (const Candidate& candidate : part.candidates) histogram.add(candidate.key);
      });
    }
    std::vector<uint64_t> keys;
    for (const Part& part : parts_) {
      for (const Candidate& candidate : part.candidates) {
        if (range.contains(candidate.key)) keys.push_back(candidate.key);
      }
    }
    return rank_largest(keys, range.rank);
  }

  // Decides on the candidates.
  void settle(const KeyRange& range) {
    const uint64_t key = threshold(range);
    for_each_part([&](Part& part) {
      part.above = 0;
      for (const Candidate& candidate : part.candidates) {
        if (candidate.key <= key) continue;
        *candidate.keep = 1;
        ++part.above;
      }
    });
    int64_t ties = range.rank - sum(&Part::above);
    for (const Part& part : parts_) {
      for (const Candidate& candidate : part.candidates) {
        if (ties == 0) return;
        if (candidate.key != key) continue;
        *candidate.keep = 1;
        --ties;
      }
    }
  }

  // All that is inside is equal to the threshold: the first `rank` of it are kept.
  void write_ties(const KeyRange& range) {
    std::vector<int64_t> ties(parts_.size());
    int64_t left = range.rank;
    for (size_t p = 0; p < parts_.size(); ++p) {
      ties[p] = std::min(left, parts_[p].inside);
      left -= ties[p];
    }
    for_each_part([&](Part& part) {
      int64_t own = ties[&part - parts_.data()];
      if (own == 0) return;
      for_each_piece(part.begin, part.end, total(),
                     [&](const SelectTensor& t, int64_t i, int64_t n) {
                       WritePass pass{range.low, own, t.keep};
                       write(t.scores, i, n, pass);
                       own = pass.ties;
                     });
    });
  }

  const std::vector<SelectTensor>& tensors_;
  const Executor& executor_;
  int64_t k_ = 0;
  std::vector<uint64_t> sample_;
  std::vector<int64_t> offsets_;
  std::vector<Part> parts_;
};

}  // namespace

void select_largest(const std::vector<SelectTensor>& tensors, int64_t k, const Executor& executor) {
  if (!tensors.empty()) Selection(tensors, executor).run(k);
}

}  // namespace sgnn::cpu
