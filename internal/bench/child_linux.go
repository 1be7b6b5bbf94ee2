package main

import (
	"os/exec"
	"syscall"
)

// passOn has the program asked to end (SIGTERM), not killed, when this process dies: nginx then ends its workers, which would stay otherwise.
func passOn(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
