"""A kernel that does nothing but gather rows: what an aggregation is measured against.

It is written apart from the package, so that the yardstick does not bend with what it measures.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bench.gpu.setting import Setting

SOURCE = r"""
// Each group of `lanes` threads reads whole rows of `lanes` times 16 bytes, eight at a time.
extern "C" __global__ void gather(const uint4* table, const int* ids, long long rows, int lanes,
                                  unsigned* out) {
  const long long thread = blockIdx.x * (long long)blockDim.x + threadIdx.x;
  const long long groups = gridDim.x * (long long)blockDim.x / lanes;
  const int lane = (int)(thread % lanes);
  unsigned mixed = 0;
  for (long long row = thread / lanes * 8; row + 8 <= rows; row += groups * 8) {
    uint4 read[8];
#pragma unroll
    for (int k = 0; k < 8; ++k) read[k] = __ldg(table + (long long)ids[row + k] * lanes + lane);
#pragma unroll
    for (int k = 0; k < 8; ++k) mixed ^= read[k].x ^ read[k].y ^ read[k].z ^ read[k].w;
  }
  if (mixed == 0x9e3779b9u) *out = mixed;  // keeps the loads alive
}
"""
THREADS, BLOCKS_PER_MULTIPROCESSOR = 256, 8


def gather(table: Tensor, ids: Tensor, setting: Setting) -> Callable[[], object]:
    """Reads rows `ids` (a multiple of 8) of `table` [rows, 4-byte items]; needs CuPy on a GPU."""
    if setting.device == "cpu":
        return lambda: table[ids.long()].sum()
    import cupy

    kernel = cupy.RawKernel(SOURCE, "gather")
    out = torch.zeros(1, dtype=torch.int32, device="cuda")
    blocks = BLOCKS_PER_MULTIPROCESSOR * torch.cuda.get_device_properties(0).multi_processor_count
    pointers = [cupy.asarray(t) for t in (table, ids, out)]
    lanes = table.shape[1] // 4
    arguments = (
        pointers[0],
        pointers[1],
        cupy.int64(ids.numel()),
        cupy.int32(lanes),
        pointers[2],
    )

    def run() -> None:
        with cupy.cuda.ExternalStream(torch.cuda.current_stream().cuda_stream):
            kernel((blocks,), (THREADS,), arguments)

    return run
