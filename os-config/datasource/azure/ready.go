package azure

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"

	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

// Wireserver is where machines report to.
const Wireserver = "http://168.63.129.16"

// version is that of the wireserver's protocol, a header of each request.
const version = "2012-11-30"

type goalState struct {
	XMLName     xml.Name `xml:"GoalState"`
	Incarnation string   `xml:"Incarnation"`
	Container   string   `xml:"Container>ContainerId"`
	Instance    string   `xml:"Container>RoleInstanceList>RoleInstance>InstanceId"`
}

type health struct {
	XMLName     xml.Name `xml:"Health"`
	Incarnation string   `xml:"GoalStateIncarnation"`
	Container   string   `xml:"Container>ContainerId"`
	Instance    string   `xml:"Container>RoleInstanceList>Role>InstanceId"`
	State       string   `xml:"Container>RoleInstanceList>Role>Health>State"`
}

// Ready tells the wireserver at base that this machine has started; empty is
// Wireserver. It tries until ctx ends. Azure wants it once a boot.
func Ready(ctx context.Context, base string, o imds.Options) error {
	if base == "" {
		base = Wireserver
	}
	client := imds.New(base, o)
	data, err := client.Get(ctx, "machine/?comp=goalstate", "x-ms-version", version, "x-ms-agent-name", "pharos")
	if err != nil {
		return fmt.Errorf("azure: goal state: %w", err)
	}
	report, err := readyReport(data)
	if err != nil {
		return fmt.Errorf("azure: goal state: %w", err)
	}
	_, err = client.Post(ctx, "machine?comp=health", "text/xml; charset=utf-8", report, "x-ms-version", version, "x-ms-agent-name", "pharos")
	if err != nil {
		return fmt.Errorf("azure: ready report: %w", err)
	}
	return nil
}

// readyReport is the answer to a goal state.
func readyReport(data []byte) ([]byte, error) {
	var goal goalState
	if err := xml.Unmarshal(data, &goal); err != nil {
		return nil, errors.New("no usable XML")
	}
	if goal.Container == "" || goal.Instance == "" {
		return nil, errors.New("no container or no instance in it")
	}
	body, err := xml.Marshal(health{
		Incarnation: goal.Incarnation, Container: goal.Container, Instance: goal.Instance, State: "Ready",
	})
	if err != nil {
		return nil, fmt.Errorf("write the report: %w", err)
	}
	return append([]byte(xml.Header), body...), nil
}
