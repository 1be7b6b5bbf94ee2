// Package h1 reads and writes HTTP/1.0 and HTTP/1.1 messages in place.
package h1
