package load

import (
	"context"
	"fmt"
	"strings"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/azure"
)

// withDVD adds what Azure has on a DVD and not in its metadata service: the
// custom data of a machine's first boot. The DVD alone will do when the
// service is away. Later boots have no DVD; what it said is in the answer that
// was kept.
func (l *Loader) withDVD(ctx context.Context, r datasource.Result, failed error) (datasource.Result, error) {
	dvd, found, err := l.dvd(ctx)
	switch {
	case err != nil:
		l.log().Warn("DVD of Azure", "error", err)
	case found && failed != nil:
		return dvd, nil
	case failed != nil:
		return r, failed
	case len(r.UserData) > 0:
	case found:
		r.UserData, r.UserDataFile = dvd.UserData, dvd.UserDataFile
	default:
		old := l.cached()
		if old != nil && old.Source == "azure" && old.Result.InstanceID == r.InstanceID && strings.Contains(old.Result.UserDataFile, "ovf-env.xml") {
			r.UserData, r.UserDataFile = old.Result.UserData, old.Result.UserDataFile
		}
	}
	return r, failed
}

func (l *Loader) dvd(ctx context.Context) (datasource.Result, bool, error) {
	if l.Devices == nil {
		return datasource.Result{}, false, nil
	}
	devices, err := l.Devices.Labelled(ctx, azure.LabelPrefix+"*")
	if err != nil || len(devices) == 0 {
		return datasource.Result{}, false, err
	}
	files, unmount, err := l.Devices.Mount(ctx, devices[0])
	if err != nil {
		return datasource.Result{}, false, err
	}
	r, err := azure.NewDVD(files, devices[0].Path).Fetch(ctx)
	if again := unmount(); again != nil {
		l.log().Warn("volume stays mounted", "device", devices[0].Path, "error", again)
	}
	if err != nil {
		return datasource.Result{}, false, fmt.Errorf("%s: %w", devices[0].Path, err)
	}
	return r, true, nil
}
