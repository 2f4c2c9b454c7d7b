// Compiled once per instruction set.
#include "project_isa.h"

#include "project_rows.h"
#include "sgnn/dispatch.h"

namespace sgnn::cpu::SGNN_ISA {

void project(const ProjectArgs& args) {
  dispatch_dtype(args.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    project_rows<T>(static_cast<const T*>(args.h), args.h_stride, static_cast<const T*>(args.w),
                    args.w_stride, args.rows, args.width, args.outputs,
                    static_cast<acc_t<T>*>(args.z));
  });
}

}  // namespace sgnn::cpu::SGNN_ISA
