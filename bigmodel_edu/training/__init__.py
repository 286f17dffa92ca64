"""Training in PyTorch, the same for every chapter, and what keeps a long training safe.

loop         takes the steps: losses, optimizers, schedules, validation, checkpoints, a log
batches      finds the batch of a step where they are drawn an epoch at a time
checkpoints  files that are whole or not there
torch_state  what PyTorch needs in order to go on, as arrays for a checkpoint
logs         TensorBoard's files, or a table of plain text
finite       the loss has to stay a finite number

`checkpoints` and `finite` need no PyTorch.
"""
