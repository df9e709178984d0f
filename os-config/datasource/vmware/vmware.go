// Package vmware owns the datasource VMware: the guestinfo variables of a
// virtual machine, cloud-init's and RancherOS's, by the hypervisor's backdoor.
// It refuses to try the backdoor unless the processor says VMware, and it does
// not know the OVF environment.
package vmware

import (
	"context"
	"fmt"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
	"github.com/pharos-os/pharos/os-config/datasource/url"
)

// Reader reads guestinfo variables; the key is without "guestinfo.", and what
// is not set is empty.
type Reader interface {
	Get(key string) (string, error)
}

// hypervisor is the Reader of a real machine.
type hypervisor struct{}

func (hypervisor) Get(key string) (string, error) {
	if !onVMware() {
		return "", fmt.Errorf("no VMware hypervisor: %w", datasource.ErrNotFound)
	}
	return guestinfo(backdoor, key)
}

type source struct {
	reader  Reader
	options imds.Options
}

// New makes a source of this machine's variables. The options are for the URL
// that one of them may name.
func New(o imds.Options) datasource.Source { return NewReader(hypervisor{}, o) }

// NewReader makes a source of somebody else's variables.
func NewReader(r Reader, o imds.Options) datasource.Source { return source{r, o} }

func (source) Name() string { return "vmware" }

func (s source) Fetch(ctx context.Context) (datasource.Result, error) {
	var failed error
	get := func(key string) string {
		if failed != nil || ctx.Err() != nil {
			return ""
		}
		value, err := s.reader.Get(key)
		failed = err
		return value
	}
	out, address := Parse(get)
	switch {
	case failed != nil:
		return datasource.Result{}, fmt.Errorf("vmware: %w", failed)
	case ctx.Err() != nil:
		return datasource.Result{}, fmt.Errorf("vmware: %w", ctx.Err())
	case empty(out) && address == "":
		return datasource.Result{}, fmt.Errorf("vmware: no guestinfo variables: %w", datasource.ErrNotFound)
	case address == "":
		return out, nil
	}
	more, err := url.New(address, s.options).Fetch(ctx)
	if err != nil {
		return datasource.Result{}, fmt.Errorf("vmware: guestinfo.%s: %w", configURL, err)
	}
	out.UserData, out.UserDataFile = more.UserData, more.UserDataFile
	return out, nil
}

func empty(r datasource.Result) bool {
	return r.InstanceID == "" && r.Hostname == "" && r.Network == nil && len(r.Keys) == 0 &&
		r.UserData == nil && r.VendorData == nil && len(r.Report) == 0
}
