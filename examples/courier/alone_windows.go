package main

import "syscall"

// alone keeps a Ctrl-C that is meant for the day from its children: the day ends
// them itself.
func alone() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
