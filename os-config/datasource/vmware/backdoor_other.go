//go:build !amd64

package vmware

import "errors"

var errFault = errors.New("the backdoor is known for amd64 only")

func backdoor(*registers) error { return errFault }

func onVMware() bool { return false }
