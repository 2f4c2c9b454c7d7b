// _host: host-side graph building over NumPy buffers. The GIL is released while it works.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <stdexcept>
#include <string>

#include "coo.h"

namespace py = pybind11;

namespace {

using IndexArray = py::array_t<int64_t, py::array::c_style | py::array::forcecast>;

void require_same_length(const IndexArray& row, const IndexArray& col) {
  if (row.ndim() != 1 || col.ndim() != 1 || row.size() != col.size()) {
    throw std::invalid_argument("row and col must be one-dimensional and of equal length, got " +
                                std::to_string(row.size()) + " and " + std::to_string(col.size()) +
                                " entries.");
  }
}

void require_in_range(const char* name, const int64_t* index, int64_t count, int64_t bound) {
  const int64_t bad = sgnn::host::find_out_of_range(index, count, bound);
  if (bad < 0) return;
  throw std::invalid_argument(std::string(name) + " must lie in [0, " + std::to_string(bound) +
                              "), got " + std::to_string(index[bad]) + " at position " +
                              std::to_string(bad) + ".");
}

py::array_t<int64_t> to_numpy(std::vector<int64_t>&& values) {
  auto* owned = new std::vector<int64_t>(std::move(values));
  const py::capsule owner(owned, [](void* p) { delete static_cast<std::vector<int64_t>*>(p); });
  return py::array_t<int64_t>(static_cast<py::ssize_t>(owned->size()), owned->data(), owner);
}

py::tuple sort_coo(const IndexArray& row, const IndexArray& col, int64_t num_rows, int64_t num_cols,
                   const char* row_name, const char* col_name) {
  require_same_length(row, col);
  if (num_rows < 0 || num_cols < 0) {
    throw std::invalid_argument("the number of nodes must not be negative.");
  }
  sgnn::host::SortedCoo sorted;
  {
    const int64_t* r = row.data();
    const int64_t* c = col.data();
    const int64_t count = row.size();
    const py::gil_scoped_release release;
    require_in_range(row_name, r, count, num_rows);
    require_in_range(col_name, c, count, num_cols);
    sorted = sgnn::host::sort_coo(r, c, count, num_rows, num_cols);
  }
  const bool identity = sorted.identity;
  return py::make_tuple(to_numpy(std::move(sorted.rowptr)), to_numpy(std::move(sorted.order)),
                        identity);
}

py::tuple pair_edges(const IndexArray& row, const IndexArray& col, int64_t num_nodes) {
  require_same_length(row, col);
  py::array_t<int64_t> pair_id(row.size());
  const int64_t* r = row.data();
  const int64_t* c = col.data();
  int64_t* out = pair_id.mutable_data();
  const int64_t count = row.size();
  int64_t pairs = 0;
  {
    const py::gil_scoped_release release;
    require_in_range("row", r, count, num_nodes);
    require_in_range("col", c, count, num_nodes);
    pairs = sgnn::host::pair_edges(r, c, count, num_nodes, out);
  }
  return py::make_tuple(pair_id, pairs);
}

}  // namespace

PYBIND11_MODULE(_host, m) {
  m.doc() = "Host-side graph building over NumPy buffers.";
  m.def(
      "sort_coo", &sort_coo, py::arg("row"), py::arg("col"), py::arg("num_rows"),
      py::arg("num_cols"), py::arg("row_name") = "row", py::arg("col_name") = "col",
      "Sorts edges by (row, col): returns rowptr, order (sorted position -> edge) and whether the "
      "order is the identity.");
  m.def("pair_edges", &pair_edges, py::arg("row"), py::arg("col"), py::arg("num_nodes"),
        "Numbers unordered node pairs: returns the pair of every edge and the number of pairs.");
}
