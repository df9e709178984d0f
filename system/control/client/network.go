package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/pharos-os/pharos/system/control/api"
)

// Network asks how the network is.
func (c *Client) Network(ctx context.Context) (api.Network, error) {
	var out api.Network
	return out, c.get(ctx, api.PathNetwork, &out)
}

// NetworkPlan asks what applying rancher.network would change, with the
// cloud-config text merged into the machine's own first; "" is none.
func (c *Client) NetworkPlan(ctx context.Context, text string) (api.NetworkPlan, error) {
	var out api.NetworkPlan
	return out, c.ask(ctx, api.PathNetworkPlan, api.NetworkQuestion{Text: text}, &out)
}

// NetworkApply applies rancher.network and returns when the network is online,
// or when that takes too long.
func (c *Client) NetworkApply(ctx context.Context) (api.NetworkApplied, error) {
	var out api.NetworkApplied
	body, err := c.do(ctx, http.MethodPost, api.PathNetworkApply, nil, nil)
	if err != nil {
		return out, err
	}
	return out, answer(body, &out)
}

// NetworkRenew asks for a link's leases anew and returns when they are there.
func (c *Client) NetworkRenew(ctx context.Context, link string) (api.NetworkLink, error) {
	var out api.NetworkLink
	body, err := c.do(ctx, http.MethodPost, api.PathNetworkLinks+"/"+url.PathEscape(link)+"/renew", nil, nil)
	if err != nil {
		return out, err
	}
	return out, answer(body, &out)
}
