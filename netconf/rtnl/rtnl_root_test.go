package rtnl_test

import (
	"testing"

	"github.com/pharos-os/pharos/netconf/netconftest"
	"github.com/pharos-os/pharos/netconf/rtnl"
)

func TestRootKernel(t *testing.T) {
	if !netconftest.InNamespace(t) {
		return
	}
	conn, err := rtnl.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	world := netconftest.Real(t)
	world.Kernel = conn
	netconftest.TestKernel(t, world)
}
