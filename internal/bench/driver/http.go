package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// conn is a connection that speaks the little of HTTP/1.1 that a load needs, and costs the machine little.
type conn struct {
	net.Conn
	in   *bufio.Reader
	head string // of all requests, from the end of the request line on
	body []byte // of the last answer
	etag string // of the last answer
}

func dial(o options, more string) (*conn, error) {
	c, err := net.Dial("tcp", o.addr)
	if err != nil {
		return nil, err
	}
	head := " HTTP/1.1\r\nHost: " + o.host + "\r\n" + more
	if o.user != "" {
		head += "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(o.user)) + "\r\n"
	}
	return &conn{Conn: c, in: bufio.NewReaderSize(c, 64<<10), head: head}, nil
}

// exchange sends a request and reads the answer; extra is more lines of the head.
func (c *conn) exchange(method, url, extra string, body []byte) (status int, err error) {
	b := make([]byte, 0, 512+len(body))
	b = append(b, method+" "+url+c.head+extra...)
	if method != "GET" {
		b = append(b, "Content-Length: "+strconv.Itoa(len(body))+"\r\n"...)
	}
	b = append(append(b, "\r\n"...), body...)
	if _, err := c.Write(b); err != nil {
		return 0, err
	}
	return c.read()
}

func (c *conn) read() (status int, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, fmt.Errorf("status line %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length, chunked := 0, false
	c.etag = ""
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, v, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(v)); err != nil {
				return 0, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		case bytes.EqualFold(name, []byte("Etag")):
			c.etag = string(v)
		}
	}
	c.body = c.body[:0]
	if !chunked {
		return status, c.take(length)
	}
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(line)), 16, 32)
		if err != nil {
			return 0, err
		}
		if err := c.take(int(n)); err != nil {
			return 0, err
		}
		if _, err := c.in.Discard(2); err != nil || n == 0 {
			return status, err
		}
	}
}

// take adds n bytes of the connection to the body.
func (c *conn) take(n int) error {
	from := len(c.body)
	if cap(c.body) < from+n {
		c.body = append(make([]byte, 0, 2*(from+n)), c.body...)
	}
	c.body = c.body[:from+n]
	_, err := io.ReadFull(c.in, c.body[from:])
	return err
}

func (c *conn) wrong(what string, status int) error {
	return fmt.Errorf("%s: status %d: %.300s", what, status, c.body)
}

func httpClients(o options) ([]client, error) {
	var all []client
	for range o.clients {
		switch o.kind {
		case "registry":
			c, err := dial(o, "")
			if err != nil {
				return nil, err
			}
			all = append(all, &registryClient{conn: c, options: o, tags: map[int]string{}})
		case "gateway":
			c, err := dial(o, "Content-Type: application/json\r\n")
			if err != nil {
				return nil, err
			}
			all = append(all, &gatewayClient{conn: c, options: o, revisions: map[int]string{}})
		default:
			c, err := dial(o, "")
			if err != nil {
				return nil, err
			}
			all = append(all, &helloClient{conn: c, options: o})
		}
	}
	return all, nil
}

// helloClient asks a server that does nothing else than answer.
type helloClient struct {
	*conn
	options
}

func (c *helloClient) prime(context.Context, []int) error { return nil }

func (c *helloClient) do(context.Context, int) error {
	status, err := c.exchange("GET", "/", "", nil)
	if err == nil && (status != 200 || len(c.body) != c.size) {
		err = c.wrong("hello", status)
	}
	return err
}

// perFolder is how many resources a collection has: a list is one of 100.
const perFolder = 100

func folderOf(key int) string { return fmt.Sprintf("/_system/governance/bench/d%03d", key/perFolder) }

func pathOf(key int) string { return fmt.Sprintf("%s/k%02d.txt", folderOf(key), key%perFolder) }

// registryClient uses the REST API.
type registryClient struct {
	*conn
	options
	tags map[int]string
}

func (c *registryClient) prime(_ context.Context, keys []int) error {
	if c.op != "cas" {
		return nil
	}
	for _, k := range keys {
		status, err := c.exchange("GET", "/api/v1/content"+pathOf(k), "", nil)
		if err != nil {
			return err
		}
		if status != 200 || c.etag == "" {
			return c.wrong("read before cas", status)
		}
		c.tags[k] = c.etag
	}
	return nil
}

func (c *registryClient) do(_ context.Context, key int) error {
	switch c.op {
	case "get", "prime":
		status, err := c.exchange("GET", "/api/v1/content"+pathOf(key), "", nil)
		if err == nil && (status != 200 || len(c.body) != c.size) {
			err = c.wrong("get", status)
		}
		return err
	case "list":
		status, err := c.exchange("GET", "/api/v1/children"+folderOf(key)+"?limit=100", "", nil)
		if err == nil && (status != 200 || bytes.Count(c.body, []byte(`"etag"`)) != perFolder) {
			err = c.wrong("list", status)
		}
		return err
	case "put":
		status, err := c.exchange("PUT", "/api/v1/content"+pathOf(key), "Content-Type: text/plain\r\n", value(c.size))
		if err == nil && status != 200 {
			err = c.wrong("put", status)
		}
		return err
	case "cas":
		status, err := c.exchange("PUT", "/api/v1/content"+pathOf(key), "Content-Type: text/plain\r\nIf-Match: "+c.tags[key]+"\r\n", value(c.size))
		if err == nil && (status != 200 || c.etag == c.tags[key]) {
			err = c.wrong("cas", status)
		}
		c.tags[key] = c.etag
		return err
	}
	return fmt.Errorf("op %q is not known", c.op)
}

// fill stores the resources, a collection at a time.
func (c *registryClient) fill(_ context.Context, i int, o options) error {
	type step struct {
		Do        string `json:"do"`
		Path      string `json:"path"`
		Content   string `json:"content"`
		MediaType string `json:"media_type"`
	}
	for folder := i; folder*perFolder < o.keys; folder += o.clients {
		var steps []step
		for k := folder * perFolder; k < min(o.keys, (folder+1)*perFolder); k++ {
			steps = append(steps, step{"put", pathOf(k), string(value(o.size)), "text/plain"})
		}
		body, err := json.Marshal(map[string]any{"steps": steps})
		if err != nil {
			return err
		}
		status, err := c.exchange("POST", "/api/v1/batch", "Content-Type: application/json\r\n", body)
		if err != nil {
			return err
		}
		if status != 200 {
			return c.wrong("fill", status)
		}
	}
	return nil
}

// gatewayClient uses etcd's JSON gateway.
type gatewayClient struct {
	*conn
	options
	revisions map[int]string
}

func (c *gatewayClient) post(url, body string) error {
	status, err := c.exchange("POST", url, "", []byte(body))
	if err == nil && status != 200 {
		err = c.wrong(url, status)
	}
	return err
}

func encoded(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func etcdKey(k int) string { return fmt.Sprintf("bench/d%03d/k%02d", k/perFolder, k%perFolder) }

func (c *gatewayClient) prime(_ context.Context, keys []int) error {
	if c.op != "cas" {
		return nil
	}
	for _, k := range keys {
		if err := c.post("/v3/kv/range", `{"key":"`+encoded([]byte(etcdKey(k)))+`"}`); err != nil {
			return err
		}
		var r struct {
			Kvs []struct {
				ModRevision string `json:"mod_revision"`
			}
		}
		if err := json.Unmarshal(c.body, &r); err != nil {
			return err
		}
		if len(r.Kvs) != 1 {
			return c.wrong("read before cas", 200)
		}
		c.revisions[k] = r.Kvs[0].ModRevision
	}
	return nil
}

func (c *gatewayClient) do(_ context.Context, key int) error {
	k := encoded([]byte(etcdKey(key)))
	switch c.op {
	case "get":
		if err := c.post("/v3/kv/range", `{"key":"`+k+`"}`); err != nil {
			return err
		}
		if len(c.body) < c.size || !bytes.Contains(c.body, []byte(`"count":"1"`)) {
			return c.wrong("range", 200)
		}
		return nil
	case "put":
		return c.post("/v3/kv/put", `{"key":"`+k+`","value":"`+encoded(value(c.size))+`"}`)
	case "cas":
		err := c.post("/v3/kv/txn", `{"compare":[{"key":"`+k+`","target":"MOD","result":"EQUAL","mod_revision":"`+c.revisions[key]+
			`"}],"success":[{"request_put":{"key":"`+k+`","value":"`+encoded(value(c.size))+`"}}]}`)
		if err != nil {
			return err
		}
		var ok bool
		if c.revisions[key], ok = between(c.body, `"header":{`, `"revision":"`); !ok || !bytes.Contains(c.body, []byte(`"succeeded":true`)) {
			return c.wrong("txn", 200)
		}
		return nil
	}
	return errors.New("op " + c.op + " is not known")
}

// between gives the text from the first mark that follows section to the next quote.
func between(b []byte, section, mark string) (string, bool) {
	_, rest, ok := bytes.Cut(b, []byte(section))
	if !ok {
		return "", false
	}
	if _, rest, ok = bytes.Cut(rest, []byte(mark)); !ok {
		return "", false
	}
	text, _, ok := bytes.Cut(rest, []byte(`"`))
	return string(text), ok
}
