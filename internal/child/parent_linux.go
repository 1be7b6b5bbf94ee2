package child

import "syscall"

// dieWithParent asks the kernel to kill the process when the thread that starts it ends. A caller may have chosen a milder signal.
func dieWithParent(attr *syscall.SysProcAttr) {
	if attr.Pdeathsig == 0 {
		attr.Pdeathsig = syscall.SIGKILL
	}
}
