package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// mostResumes is how often one download goes on after a break, however much came in between.
const mostResumes = 100

// Content is a content on its way. One goroutine may read it at a time.
type Content struct {
	Info Info

	client *Client
	ctx    context.Context // that of Get: an io.Reader has no other way to be told to stop
	path   string
	past   url.Values // the query of a read at a moment, nil for others

	body    *patientBody // nil between two attempts
	at      int64        // the next byte
	end     int64        // the byte after the last; -1 when not told
	whole   bool         // all bytes are read, so that their digest can be known
	hash    hash.Hash    // of what was read, when whole
	idle    int          // attempts in a row that brought nothing
	resumes int
	err     error // the end, io.EOF or a failure
}

// open sends the first request.
func (d *Content) open(o GetOptions) error {
	header := http.Header{}
	if o.IfNoneMatch != "" {
		header.Set("If-None-Match", o.IfNoneMatch)
	}
	last := int64(-1)
	if o.Length > 0 {
		last = o.Offset + o.Length - 1
	}
	r, err := d.request(header, o.query(), last)
	if err != nil {
		return err
	}
	if r.first != d.at || !d.whole && !r.partial {
		d.shut()
		return fmt.Errorf("the server did not serve the range that begins at byte %d", d.at)
	}
	if o.At != "" {
		d.past = o.query()
	}
	d.Info, d.end, d.hash = r.info, r.end, sha256.New()
	return nil
}

// reply is what an answer says of the bytes in it.
type reply struct {
	info       Info
	partial    bool
	first, end int64 // the first byte, and the one after the last; -1 where that is not told
}

// request asks for the bytes from d.at on, to last, or to the end when that is -1; and makes the answer d's body.
func (d *Content) request(header http.Header, query url.Values, last int64) (reply, error) {
	if d.at > 0 || last >= 0 {
		span := "bytes=" + strconv.FormatInt(d.at, 10) + "-"
		if last >= 0 {
			span += strconv.FormatInt(last, 10)
		}
		header.Set("Range", span)
	}
	ctx, cancel := context.WithCancelCause(d.ctx)
	res, err := d.client.send(ctx, &call{method: http.MethodGet, operation: "content", path: d.path, query: query, header: header}) //nolint:bodyclose // it becomes d.body, which shut closes
	if err != nil {
		cancel(nil)
		return reply{}, err
	}
	d.body = &patientBody{ReadCloser: res.Body, ctx: ctx, cancel: cancel, patience: d.client.patience}
	r := reply{info: describe(res), end: res.ContentLength}
	if res.StatusCode == http.StatusPartialContent {
		first, last, _, ok := contentRange(res.Header.Get("Content-Range"))
		r.partial, r.first, r.end = true, first, last+1
		if !ok {
			r.first = -1 // of which nothing can be made
		}
	}
	return r, nil
}

// resume goes on after a break, on the same version.
func (d *Content) resume(cause error) error {
	known := d.Info.SHA256 != "" && d.Info.Version > 0 && d.end >= 0
	if !known || d.ctx.Err() != nil || d.idle >= d.client.attempts || d.resumes >= mostResumes {
		return fmt.Errorf("the download broke off after byte %d: %w", d.at, &lostError{err: cause})
	}
	if d.idle > 0 {
		if err := pause(d.ctx, d.idle, 0); err != nil {
			return err
		}
	}
	d.idle++
	d.resumes++
	query := d.past // at a moment of the past the path may have meant something else than it does now
	if query == nil {
		query = versionQuery(d.Info.Version)
	}
	r, err := d.request(http.Header{}, query, d.end-1)
	if err != nil {
		return fmt.Errorf("the download broke off after byte %d, and cannot go on: %w", d.at, err)
	}
	if r.info.SHA256 != d.Info.SHA256 || r.first != d.at || r.end != d.end {
		d.shut()
		return fmt.Errorf("%w: the download broke off after byte %d, and what the server has now is something else", ErrDigest, d.at)
	}
	return nil
}

// Read implements [io.Reader].
func (d *Content) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for d.err == nil {
		n, err := d.body.Read(b)
		d.at += int64(n)
		if n > 0 {
			d.idle = 0
			d.hash.Write(b[:n])
		}
		ended := err != nil && (d.at == d.end || d.end < 0 && errors.Is(err, io.EOF))
		switch {
		case ended:
			d.shut()
			d.err = d.verdict()
		case d.ctx.Err() != nil && err != nil:
			d.shut()
			d.err = context.Cause(d.ctx)
		case err != nil:
			d.shut()
			d.err = d.resume(unexpected(err))
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, d.err
}

// verdict is what the end of the bytes means.
func (d *Content) verdict() error {
	if !d.whole || d.Info.SHA256 == "" {
		return io.EOF
	}
	if sum := hex.EncodeToString(d.hash.Sum(nil)); sum != d.Info.SHA256 {
		return fmt.Errorf("%w: %d bytes came, with the SHA-256 %s; the server spoke of %s", ErrDigest, d.at, sum, d.Info.SHA256)
	}
	return io.EOF
}

// Close implements [io.Closer]. It ends a download that is not over.
func (d *Content) Close() error {
	d.shut()
	if d.err == nil {
		d.err = errors.New("the download was closed")
	}
	return nil
}

func (d *Content) shut() {
	if d.body != nil {
		_ = d.body.Close() // nothing more is wanted of it
		d.body = nil
	}
}

// unexpected names an end that came too early.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
