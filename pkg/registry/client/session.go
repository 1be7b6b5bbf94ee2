package client

import (
	"context"
	"net/http"
	"strconv"
	"strings"
)

// Seq is the highest position in the change log of a store that an answer to this client spoke of; 0 when none did.
func (c *Client) Seq(store string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seqs[store]
}

// learn notes the position in the change log that an answer speaks of.
func (c *Client) learn(h http.Header) {
	s := h.Get("Registry-Seq")
	i := strings.LastIndexByte(s, ':')
	n, err := strconv.ParseInt(s[i+1:], 10, 64)
	if i < 1 || err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seqs[s[:i]] = max(c.seqs[s[:i]], n)
}

// remind tells the server, in a session, what this client has seen of the store that a read is of. When that store cannot be found out the read is as
// fresh as any.
func (c *Client) remind(ctx context.Context, r *http.Request, k *call) error {
	if !c.session || k.path == "" {
		return nil
	}
	c.mu.Lock()
	mounts := c.mounts
	c.mu.Unlock()
	if mounts == nil {
		found, err := c.Mounts(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return nil //nolint:nilerr // see above
		}
		c.mu.Lock()
		c.mounts, mounts = found, found
		c.mu.Unlock()
	}
	var at Mount
	for _, m := range mounts {
		covers := m.Path == "/" || k.path == m.Path || strings.HasPrefix(k.path, m.Path+"/")
		if covers && len(m.Path) > len(at.Path) {
			at = m
		}
	}
	if n := c.Seq(at.Store); at.Path != "" && n > 0 {
		r.Header.Set("Registry-Min-Seq", at.Store+":"+strconv.FormatInt(n, 10))
	}
	return nil
}
