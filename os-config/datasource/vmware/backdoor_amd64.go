package vmware

import (
	"encoding/binary"
	"errors"
	"runtime/debug"
)

// in reads 32 bits from a port, with all registers that the hypervisor looks
// at. Elsewhere than on VMware it faults.
func in(r *registers)

func cpuid(leaf uint32) (ax, bx, cx, dx uint32)

var errFault = errors.New("the hypervisor has no backdoor for programs")

// backdoor makes one call; a fault is an error and not this program's end.
func backdoor(r *registers) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = errFault
		}
	}()
	in(r)
	return nil
}

// onVMware asks the processor whose hypervisor this is.
func onVMware() bool {
	const features, hypervisor, vendor = 1, 1 << 31, 0x4000_0000
	if _, _, cx, _ := cpuid(features); cx&hypervisor == 0 {
		return false
	}
	_, bx, cx, dx := cpuid(vendor)
	var name []byte
	for _, v := range []uint32{bx, cx, dx} {
		name = binary.LittleEndian.AppendUint32(name, v)
	}
	return string(name) == "VMwareVMware"
}
