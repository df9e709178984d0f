package aliyun

import (
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
	"github.com/pharos-os/pharos/os-config/datasource/ec2"
)

func TestHardened(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{
		New: New, Required: []string{"/latest/meta-data/instance-id"}, Refused: []string{"/latest/api/token"},
		Guard: datasourcetest.Token("/latest/api/token", "X-aliyun-ecs-metadata-token-ttl-seconds", "X-aliyun-ecs-metadata-token"),
	}, "vm")
}

func TestWithoutTokens(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{New: New, Required: []string{"/latest/meta-data/instance-id"}}, "vm")
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) {
		a, err := ec2.Read(func(string) ([]byte, error) { return data, nil }, "hostname", "private-ipv4", "eipv4")
		return Parse("fuzz", a), err
	})
}
