package client

import (
	"context"

	"github.com/pharos-os/pharos/system/control/api"
)

// Binds asks what containers write to places that the next boot empties.
func (c *Client) Binds(ctx context.Context) (api.Binds, error) {
	var out api.Binds
	return out, c.get(ctx, api.PathBinds, &out)
}

// Swarm asks how the machine stands in the swarm of its engine.
func (c *Client) Swarm(ctx context.Context) (api.Swarm, error) {
	var out api.Swarm
	return out, c.get(ctx, api.PathSwarm, &out)
}

// SwarmToken asks for the token with which workers or managers join.
func (c *Client) SwarmToken(ctx context.Context, role string, rotate bool) (api.SwarmToken, error) {
	var out api.SwarmToken
	return out, c.ask(ctx, api.PathSwarmToken, api.SwarmTokenQuestion{Role: role, Rotate: rotate}, &out)
}

// SwarmUnlockKey asks for the key that unlocks managers; "" means that
// autolock is off.
func (c *Client) SwarmUnlockKey(ctx context.Context) (string, error) {
	var out api.SwarmKey
	err := c.get(ctx, api.PathSwarmKey, &out)
	return out.Key, err
}

// SwarmUnlock unlocks this manager's keys.
func (c *Client) SwarmUnlock(ctx context.Context, key string) error {
	return c.post(ctx, api.PathSwarmUnlock, api.SwarmKey{Key: key})
}
