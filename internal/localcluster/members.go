package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// member is an active node, as the load balancer tells of it.
type member struct {
	Host     string `json:"host"`
	HTTPPort int    `json:"http_port"` // 0 when it offers none
	State    string `json:"state"`
}

// addr is the node's HTTP address.
func (m member) addr() string { return net.JoinHostPort(m.Host, strconv.Itoa(m.HTTPPort)) }

// awaitMembers returns when the load balancer whose admin listener is at addr knows an active member for each node.
func (c *cluster) awaitMembers(ctx context.Context, addr string) ([]member, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, joinTimeout, fmt.Errorf("the nodes did not all join within %v; their logs above tell why", joinTimeout))
	defer cancel()
	client := newClient()
	defer client.CloseIdleConnections()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if found, err := activeMembers(ctx, client, addr); err == nil && len(found) >= len(nodes) {
			return found, nil
		}
		select {
		case p := <-c.ended:
			return nil, failureOf(p)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func newClient() *http.Client { return &http.Client{Timeout: 2 * time.Second} }

func activeMembers(ctx context.Context, client *http.Client, addr string) ([]member, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/members", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var body struct {
		Members []member `json:"members"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&body); err != nil {
		return nil, err
	}
	var active []member
	for _, m := range body.Members {
		if m.State == "active" {
			active = append(active, m)
		}
	}
	return active, nil
}
