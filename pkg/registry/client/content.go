package client

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// GetOptions say what of a resource to read.
type GetOptions struct {
	Version     int64  // 0 is the current one
	Label       string // the version that it points at; "" for none
	At          string // what was there at a moment: a position ("4711", "shared:4711") or a time (RFC 3339); "" is now
	IfNoneMatch string // an entity tag: [ErrNotModified] when the state still has it
	Offset      int64  // the first byte to read
	Length      int64  // how many; 0 is all from Offset on
}

// Info is what an answer tells of a content beside the bytes.
type Info struct {
	ETag         string
	Version      int64
	MediaType    string
	Size         int64  // of the whole content, in bytes; -1 when not told
	SHA256       string // of the whole content, as hexadecimal digits; "" when not told
	LastModified time.Time
}

// Get opens the content of a resource. Close what it gives. A collection is [ErrConflict].
//
// The path may end in ";version:N". When the whole content is read, its last Read fails with [ErrDigest] if the bytes are not those that the server
// spoke of; use nothing of them before io.EOF came.
func (c *Client) Get(ctx context.Context, path string, o GetOptions) (*Content, error) {
	if o.Offset < 0 || o.Length < 0 {
		return nil, fmt.Errorf("offset %d and length %d must not be negative", o.Offset, o.Length)
	}
	d := &Content{client: c, ctx: ctx, path: path, at: o.Offset, whole: o.Offset == 0 && o.Length == 0}
	if err := d.open(o); err != nil {
		return nil, err
	}
	return d, nil
}

// Head tells of the content of a resource without reading it.
func (c *Client) Head(ctx context.Context, path string, o GetOptions) (Info, error) {
	k := &call{method: http.MethodHead, operation: "content", path: path, query: o.query(), header: http.Header{}}
	if o.IfNoneMatch != "" {
		k.header.Set("If-None-Match", o.IfNoneMatch)
	}
	res, err := c.send(ctx, k)
	if err != nil {
		return Info{}, err
	}
	defer res.Body.Close()
	return describe(res), nil
}

// PutOptions say how to store a content.
type PutOptions struct {
	// MediaType is the content's; "" keeps that of the resource, or lets the server guess a new one from the name.
	MediaType string
	// Size is how many bytes there are, 0 for not known. Of what seeks it is found out.
	Size int64
	WriteOptions
}

// PutResult is what a change made.
type PutResult struct {
	Resource
	Created bool // nothing was there before
}

// Put stores what body still has at a path: a new resource, with missing collections above it, or the next version. The same content again makes no
// version. [ErrDigest] means that the server stored something else than was sent.
func (c *Client) Put(ctx context.Context, path string, body io.Reader, o PutOptions) (PutResult, error) {
	size := o.Size
	if size <= 0 {
		size = -1
	}
	p, err := newPayload(body, size, o.MediaType)
	if err != nil {
		return PutResult{}, err
	}
	k := &call{method: http.MethodPut, operation: "content", path: path, header: o.header(), body: p}
	out, err := c.change(ctx, k)
	if err != nil {
		return PutResult{}, err
	}
	if sum := p.sum(); out.SHA256 != "" && out.SHA256 != sum {
		return out, fmt.Errorf("%w: sent %s, and the server stored %s", ErrDigest, sum, out.SHA256)
	}
	return out, nil
}

// DeleteContent deletes a resource. A collection is left alone: [ErrConflict].
func (c *Client) DeleteContent(ctx context.Context, path string, o WriteOptions) error {
	return c.remove(ctx, "content", path, o)
}

// Delete deletes a resource, or a collection with all below it.
func (c *Client) Delete(ctx context.Context, path string, o WriteOptions) error {
	return c.remove(ctx, "resource", path, o)
}

func (c *Client) remove(ctx context.Context, operation, path string, o WriteOptions) error {
	_, err := c.ask(ctx, &call{method: http.MethodDelete, operation: operation, path: path, header: o.header()}, nil)
	return err
}

// change sends a change whose answer is the state that it made.
func (c *Client) change(ctx context.Context, k *call) (PutResult, error) {
	var out PutResult
	status, err := c.ask(ctx, k, &out.Resource)
	if err != nil {
		return PutResult{}, err
	}
	out.Created = status == http.StatusCreated
	return out, nil
}

// query says which state to read.
func (o GetOptions) query() url.Values {
	query := url.Values{}
	maps.Copy(query, versionQuery(o.Version))
	if o.Label != "" {
		query.Set("label", o.Label)
	}
	if o.At != "" {
		query.Set("at", o.At)
	}
	return query
}

func versionQuery(n int64) url.Values {
	if n == 0 {
		return nil
	}
	return url.Values{"version": {strconv.FormatInt(n, 10)}}
}

// describe reads the headers that tell of a content.
func describe(res *http.Response) Info {
	i := Info{ETag: res.Header.Get("ETag"), MediaType: res.Header.Get("Content-Type"), Size: res.ContentLength, SHA256: digest(res.Header.Get("Repr-Digest"))}
	i.Version, _ = strconv.ParseInt(res.Header.Get("Registry-Version"), 10, 64) // 0: not told
	i.LastModified, _ = http.ParseTime(res.Header.Get("Last-Modified"))         // likewise
	if _, _, total, ok := contentRange(res.Header.Get("Content-Range")); ok {
		i.Size = total
	}
	return i
}

// digest finds the SHA-256 in a Repr-Digest (RFC 9530), as hexadecimal digits; "" when there is none.
func digest(s string) string {
	for field := range strings.SplitSeq(s, ",") {
		value, ok := strings.CutPrefix(strings.TrimSpace(field), "sha-256=:")
		value, closed := strings.CutSuffix(value, ":")
		if !ok || !closed {
			continue
		}
		if sum, err := base64.StdEncoding.DecodeString(value); err == nil && len(sum) == 32 {
			return hex.EncodeToString(sum)
		}
	}
	return ""
}

// contentRange reads "bytes first-last/total".
func contentRange(s string) (first, last, total int64, ok bool) {
	rest, unit := strings.CutPrefix(s, "bytes ")
	span, size, whole := strings.Cut(rest, "/")
	from, to, dash := strings.Cut(span, "-")
	first, err1 := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	total, err3 := strconv.ParseInt(size, 10, 64)
	ok = unit && whole && dash && err1 == nil && err2 == nil && err3 == nil && 0 <= first && first <= last && last < total
	return first, last, total, ok
}
