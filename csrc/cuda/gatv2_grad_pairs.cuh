// What an edge gives to the gradients of the rows at its ends, along the targets or along the
// sources: its score and weight are taken again from both rows, gathered once where they fit a
// tile.
#pragma once

#include "gatv2_pair.cuh"
#include "sgnn/gatv2.h"

namespace sgnn {

template <typename T>
struct Gatv2GradParams : AttentionParams<T> {
  using Acc = acc_t<T>;
  const T* near;   // features of the ends whose rows are walked
  const T* far;    // features of the other ends
  const T* grad;   // [M, H, D]
  const Acc* att;  // [H, D]
  Acc* stats;      // [M, 3, H]
  T* out;          // the gradient of `near`
};

template <typename Acc>
struct alignas(16) Gatv2GradEdge {
  int64_t col;
  Acc keep;  // the factor of dropout
  Acc max;
  Acc inverse;
  Acc delta;
};

// A target's statistics, of one head.
template <typename Acc>
struct TargetStats {
  Acc max;
  Acc inverse;
  Acc delta;
};

// What a warp knows of its row and its tile.
template <typename T, typename Layout>
struct Gatv2Row {
  PairTile<T, Layout> tile;
  int64_t t;
  int64_t head;
  const T* row;         // of `near`
  const T* grad;        // along the targets: the row's
  const acc_t<T>* att;  // of the head
  NearTile<T> near;
  Pack<T> held;  // what the dot products of its edges share: gradient, or along the sources near
};

template <typename T, bool kTargets>
struct Gatv2GradSums {
  using Acc = acc_t<T>;
  Acc row[kItems<T>] = {};
  Acc att[kTargets ? kItems<T> : 1] = {};
};

// Stages the kept edges of 32 stored positions; stats(col) are those of the edge's target. Returns
// their number, the same in every lane.
template <typename T, typename Stats>
__device__ __forceinline__ int stage_gatv2_grad(const Gatv2GradParams<T>& p, int64_t head,
                                                int64_t first, int64_t end, Stats&& stats,
                                                Gatv2GradEdge<acc_t<T>>* staged) {
  const LaneEdge edge = lane_edge(p, first + threadIdx.x % kWarpSize, end);
  const unsigned votes = __ballot_sync(kFullWarp, edge.kept);
  if (edge.kept) {
    const TargetStats<acc_t<T>> target = stats(edge.col);
    staged[kept_slot(votes)] = {edge.col, dropout_factor(p, edge.id, head), target.max,
                                target.inverse, target.delta};
  }
  __syncwarp();
  return __popc(votes);
}

// Adds what one edge gives: `score` and `dot` are whole.
template <bool kTargets, typename T>
__device__ __forceinline__ void add_edge(const Gatv2GradParams<T>& p, const NearTile<T>& near,
                                         const Gatv2GradEdge<acc_t<T>>& edge, const Pack<T>& far,
                                         const Pack<T>& met, acc_t<T> score, acc_t<T> dot,
                                         Gatv2GradSums<T, kTargets>& sums) {
  using Acc = acc_t<T>;
  const Acc alpha = exp_of(score - edge.max) * edge.inverse;
  const Acc change = alpha * (edge.keep * dot - edge.delta);
  const Acc weight = alpha * edge.keep;
#pragma unroll
  for (int i = 0; i < kItems<T>; ++i) {
    const Acc total = to_acc(near.row.item[i]) + to_acc(far.item[i]);
    const Acc sloped = total > Acc(0) ? change : change * p.slope;
    if constexpr (kTargets) {
      sums.row[i] += sloped;
      sums.att[i] += sloped * total;
    } else {
      sums.row[i] += near.att[i] * sloped + weight * to_acc(met.item[i]);
    }
  }
}

// Takes kStep staged edges per group, from `first` on.
template <int kStep, bool kTargets, typename T, typename Layout>
__device__ __forceinline__ void add_pair_gradients(const Gatv2GradParams<T>& p,
                                                   const Gatv2Row<T, Layout>& row,
                                                   const Gatv2GradEdge<acc_t<T>>* staged, int first,
                                                   int groups, int count,
                                                   Gatv2GradSums<T, kTargets>& sums) {
  using Acc = acc_t<T>;
  const auto offset_of_step = [&](int s) {
    const int64_t col = staged[step_slot(first, s, groups, count)].col;
    return (col * p.heads + row.head) * p.width;
  };
  const auto load_met = [&](const PairTile<T, Layout>& tile, int64_t offset, const Pack<T>& far) {
    return kTargets ? far : tile.load(p.grad + offset);
  };
  Pack<T> far[kStep];
  Pack<T> met[kStep];
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    far[s] = row.tile.load(p.far + offset_of_step(s));
    met[s] = load_met(row.tile, offset_of_step(s), far[s]);
  }
  Acc score[kStep];
  Acc dot[kStep];
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    score[s] = score_part(row.tile, row.near, far[s], p.slope);
    dot[s] = dot_part(row.tile, row.held, met[s]);
  }
  each_other_tile<Layout>(p, row.t, [&](const PairTile<T, Layout>& tile) {
    const NearTile<T> near = load_near(p, tile, row.row, row.att);
    const Pack<T> held = kTargets ? tile.load(row.grad) : near.row;
#pragma unroll
    for (int s = 0; s < kStep; ++s) {
      const Pack<T> other = tile.load(p.far + offset_of_step(s));
      score[s] += score_part(tile, near, other, p.slope);
      dot[s] += dot_part(tile, held, load_met(tile, offset_of_step(s), other));
    }
  });
#pragma unroll
  for (int s = 0; s < kStep; ++s) {
    score[s] = sum_lanes(score[s], 1, p.shape.lanes);
    dot[s] = sum_lanes(dot[s], 1, p.shape.lanes);
    const int slot = first + s * groups;
    if (slot < count) {
      add_edge<kTargets>(p, row.near, staged[slot], far[s], met[s], score[s], dot[s], sums);
    }
  }
}

// Adds the edges of `span`; the sums of every lane group are its own.
template <bool kTargets, typename T, typename Layout, typename Stats>
__device__ __forceinline__ void differentiate_span(const Gatv2GradParams<T>& p, const Span& span,
                                                   const Gatv2Row<T, Layout>& row, Stats&& stats,
                                                   Gatv2GradEdge<acc_t<T>>* staged,
                                                   Gatv2GradSums<T, kTargets>& sums) {
  constexpr int kStep = kPairSteps < Layout, kTargets ? 1 : 2 > ;
  const int groups = kWarpSize / p.shape.lanes;
  const int group = static_cast<int>(threadIdx.x % kWarpSize) / p.shape.lanes;
  for (int64_t first = span.begin; first < span.end; first += kWarpSize) {
    const int count = stage_gatv2_grad(p, row.head, first, span.end, stats, staged);
    for (int base = 0; base < count; base += kStep * groups) {
      add_pair_gradients<kStep, kTargets>(p, row, staged, base + group, groups, count, sums);
    }
    __syncwarp();
  }
}

}  // namespace sgnn
