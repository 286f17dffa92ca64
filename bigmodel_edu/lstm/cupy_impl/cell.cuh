// The GPU by hand: one step of a recurrent network, and what the kernels of the cells share.
//
// A step of a recurrent network is one matrix product, h W_hhᵀ, which cuBLAS does, and then a dozen
// small elementwise operations: additions, three sigmoids, a tanh, products. On their own, each of
// them is a kernel that has to be launched, reads its operands from memory and writes its result
// back. With 32 examples and 128 units the arrays have 4096 elements: that is quickly done, and the
// launch, some microseconds, takes most of the time. The steps must run one after the other, so a
// sequence of a thousand steps pays for all of it a thousand times. Here everything in a step that
// is elementwise is one kernel, forward and backward: one thread per example and unit reads each
// number once, computes in registers, and writes once.
//
// Shapes: B examples, H units. Arrays are C-contiguous; `real`, float or double, stands in
// common.cuh.

// σ(z) = 1 / (1 + e⁻ᶻ) = (1 + tanh(z/2)) / 2; the second form cannot overflow.
__device__ real sigmoid(real z) { return real(0.5) * (1 + tanh(real(0.5) * z)); }
