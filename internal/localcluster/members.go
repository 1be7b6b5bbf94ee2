package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// awaitMembers returns when the load balancer whose admin listener is at addr knows an active member for each node.
func (c *cluster) awaitMembers(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, joinTimeout, fmt.Errorf("the nodes did not all join within %v; their logs above tell why", joinTimeout))
	defer cancel()
	client := &http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if n, err := activeMembers(ctx, client, addr); err == nil && n >= len(nodes) {
			return nil
		}
		select {
		case p := <-c.died:
			return deathOf(p)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func activeMembers(ctx context.Context, client *http.Client, addr string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/members", nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var body struct {
		Members []struct {
			State string `json:"state"`
		} `json:"members"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&body); err != nil {
		return 0, err
	}
	active := 0
	for _, m := range body.Members {
		if m.State == "active" {
			active++
		}
	}
	return active, nil
}
