package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// WatchedEvent is what a watch tells of one thing that happened.
type WatchedEvent struct {
	ID     string `json:"id"`
	Seq    int64  `json:"seq"`
	Item   int    `json:"item"`
	Action string `json:"action"`
	Path   string `json:"path"`
}

// Watcher follows a path by server-sent events, as a browser does: whenever the stream ends it comes back with the last id.
type Watcher struct {
	client *http.Client
	base   *Client
	url    string

	// Connections counts the streams that were opened.
	Connections int
	last        string
}

// Watch makes a watcher of a path from a position on; it has connections of its own, without a limit of time.
func (c *Client) Watch(path, from string) *Watcher {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, strings.TrimPrefix(c.base, "http://"))
		},
	}
	return &Watcher{client: &http.Client{Transport: transport}, base: c, url: c.base + "/api/v1/watch" + path, last: from}
}

// Follow calls tell for each event until ctx ends or tell returns false. Its error says that the registry refused to go on for good.
func (w *Watcher) Follow(ctx context.Context, tell func(WatchedEvent) bool) error {
	defer w.client.CloseIdleConnections()
	for ctx.Err() == nil {
		done, err := w.stream(ctx, tell)
		if done || err != nil {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// stream is one connection. Failures of the connection, and of nodes that come and go, are no errors: the next one goes on.
func (w *Watcher) stream(ctx context.Context, tell func(WatchedEvent) bool) (done bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url, nil)
	if err != nil {
		return false, err
	}
	r.Host = w.base.host
	r.SetBasicAuth(w.base.user, w.base.password)
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Last-Event-ID", w.last)
	res, err := w.client.Do(r)
	if err != nil {
		return false, nil // the next one may be better
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 && res.StatusCode < 500 {
		body, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
		return false, fmt.Errorf("watch from %s: %d %s", w.last, res.StatusCode, body)
	}
	if res.StatusCode != http.StatusOK {
		return false, nil
	}
	w.Connections++
	lines := bufio.NewScanner(res.Body)
	var id, event, data string
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case name == "id":
			id = value
		case name == "event":
			event = value
		case name == "data":
			data = value
		case lines.Text() == "":
			if id != "" {
				w.last = id
			}
			if data != "" && event == "" {
				var e WatchedEvent
				if err := json.Unmarshal([]byte(data), &e); err != nil || e.ID != id {
					return false, fmt.Errorf("event %s with the id %s: %w", data, id, err)
				}
				if !tell(e) {
					return true, nil
				}
			}
			id, event, data = "", "", ""
		}
	}
	return false, nil
}

// FollowAsClient follows a path with the product's own client, as Watch and Follow do without it, and tells how many streams that took.
func (c *Client) FollowAsClient(ctx context.Context, path, from string, tell func(WatchedEvent) bool) (connections int, err error) {
	_, port, _ := strings.Cut(strings.TrimPrefix(c.base, "http://"), ":")
	watcher, err := client.New(client.Config{URL: "http://" + c.host + ":" + port, Credentials: client.Basic(c.user, c.password)})
	if err != nil {
		return 0, err
	}
	defer watcher.CloseIdle()
	connections = 1
	for e, err := range watcher.Watch(ctx, path, client.WatchOptions{From: from, Lost: func(error) { connections++ }}) {
		if err != nil {
			return connections, err
		}
		if !tell(WatchedEvent{ID: e.ID, Seq: e.Seq, Item: e.Item, Action: e.Action, Path: e.Path}) {
			break
		}
	}
	return connections, nil
}
