// Package child runs other programs for the developer tools and the tests of this module: a [Process] is started, watched, signalled and
// stopped with a bound, and does not outlive the program that started it.
//
// Invariants:
//   - Every started process is waited for, so none is left as a zombie and [Process.Done] always closes in the end.
//   - On Linux the kernel kills the process when its parent dies, however the parent dies. Elsewhere only Stop and Kill end it.
//   - A process has a process group of its own: Ctrl-C in a terminal reaches the parent alone, which then stops its children in its order.
package child
