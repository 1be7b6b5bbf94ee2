package main

import "time"

// host is the name that every request asks for.
const host = "bench.localhost"

// cipher is the one cipher suite of all TLS connections.
const cipher = "TLS_AES_128_GCM_SHA256"

const (
	warmUp = 1 // seconds of load before the measured window
	settle = 150 * time.Millisecond
	// memoryAt is the part of the window after which memory is read: late, and with all connections still open.
	memoryAt = 0.8
)

// tool is a program that makes load.
type tool string

const (
	toolWrk       tool = "wrk"
	toolH2load    tool = "h2load"
	toolHandshake tool = "handshake" // this program: wrk cannot open a TLS connection for each request
)

// scenario is one kind of load.
type scenario struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Tool    tool   `json:"tool"`
	TLS     bool   `json:"tls"`
	Conns   int    `json:"connections"`
	Streams int    `json:"streams,omitempty"` // at once on each connection
	Path    string `json:"path"`
	Answer  int    `json:"answer_bytes"`         // of the body
	Post    int    `json:"post_bytes,omitempty"` // of the request's body; 0 is a GET
}

// scenarios are all there are, in the order of the report.
func scenarios() []scenario {
	const kib = 1 << 10
	return []scenario{
		{Name: "plain", Title: "1 KiB, plain HTTP, 64 connections", Tool: toolWrk, Conns: 64, Path: "/1k", Answer: kib},
		{Name: "tls", Title: "1 KiB, TLS, 64 connections", Tool: toolWrk, TLS: true, Conns: 64, Path: "/1k", Answer: kib},
		{Name: "h2", Title: "1 KiB, HTTP/2 over TLS, 16 connections, 4 streams each", Tool: toolH2load, TLS: true, Conns: 16, Streams: 4, Path: "/1k", Answer: kib},
		{Name: "64k", Title: "64 KiB, plain HTTP, 64 connections", Tool: toolWrk, Conns: 64, Path: "/64k", Answer: 64 * kib},
		{Name: "64k-tls", Title: "64 KiB, TLS, 64 connections", Tool: toolWrk, TLS: true, Conns: 64, Path: "/64k", Answer: 64 * kib},
		{Name: "1m", Title: "1 MiB, plain HTTP, 64 connections", Tool: toolWrk, Conns: 64, Path: "/1m", Answer: kib * kib},
		{Name: "chunked", Title: "1 KiB in two chunks, plain HTTP, 64 connections", Tool: toolWrk, Conns: 64, Path: "/chunked", Answer: kib},
		{Name: "post", Title: "POST of 4 KiB, plain HTTP, 64 connections", Tool: toolWrk, Conns: 64, Path: "/sink", Answer: len(sinkBody), Post: 4 * kib},
		{Name: "conns", Title: "1 KiB, plain HTTP, 1,024 connections", Tool: toolWrk, Conns: 1024, Path: "/1k", Answer: kib},
		{Name: "handshake", Title: "1 KiB, a new TLS connection for each request, 32 clients", Tool: toolHandshake, TLS: true, Conns: 32, Path: "/1k", Answer: kib},
	}
}

// figure is something that is measured of a run; less is better.
type figure string

const (
	figureCPU    figure = "CPU per request"
	figureMemory figure = "memory"
)

const (
	subject   = "elb"     // what the bars are about
	yardstick = "haproxy" // what ratios are to
)

// bar is what the load balancer has to reach: its figure divided by the rival's of the same round, median over rounds, is at most Limit.
type bar struct {
	Scenario string  `json:"scenario"`
	Figure   figure  `json:"figure"`
	Rival    string  `json:"rival"`
	Limit    float64 `json:"limit"`
}

// bars are those that the project has set itself.
func bars() []bar {
	return []bar{
		{"plain", figureCPU, "haproxy", 1.0},
		{"tls", figureCPU, "haproxy", 1.0},
		{"conns", figureCPU, "haproxy", 0.85},
		{"64k", figureCPU, "haproxy", 0.9},
		{"1m", figureCPU, "haproxy", 0.35},
		{"post", figureCPU, "haproxy", 1.0},
		{"handshake", figureCPU, "haproxy", 0.9},
		{"h2", figureCPU, "haproxy", 2.4},
		{"plain", figureCPU, "caddy", 0.25},
		{"h2", figureCPU, "caddy", 0.5},
		{"conns", figureMemory, "haproxy", 1.0},
	}
}
