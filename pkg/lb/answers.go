package lb

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/lb/h1"
)

// refusal is an answer that the ELB gives by itself.
type refusal struct {
	status     int
	detail     string // what happened and what to do, for the client's eyes
	retryAfter int    // seconds; 0 = not said
	allow      string // methods, with 405
	undone     bool   // no member has had anything of the request, and some may later
}

// codeUnavailable is what programs go by: nothing of the request was carried out, and it may be sent again. The registry means the same by it.
const codeUnavailable = "unavailable"

func (p refusal) title() string {
	if p.status == statusClientGone {
		return "Client Closed Request"
	}
	return http.StatusText(p.status)
}

// statusClientGone is what the log and the metrics show for a client that left; nobody is there to get it.
const statusClientGone = 499

// problem is the body in JSON (RFC 9457) and XML.
type problem struct {
	XMLName   xml.Name `json:"-" xml:"error"`
	Title     string   `json:"title" xml:"title"`
	Status    int      `json:"status" xml:"status"`
	Detail    string   `json:"detail" xml:"detail"`
	Code      string   `json:"code,omitempty" xml:"code,omitempty"`
	RequestID string   `json:"request_id" xml:"request_id"`
}

// refuse answers a request by ourselves, in the form that the client likes best.
func (p *Proxy) refuse(x *exchange, no *refusal) {
	if no.status == statusClientGone {
		x.front.abort() // nobody is there to get it
		return
	}
	memory := p.buffers.takeBig()
	defer memory.free()
	kind := preferred(x.values(h1.Accept))
	body := no.body(kind, string(x.id))
	head := fmt.Appendf(memory.mem[headRoom:headRoom], "HTTP/1.1 %d %s\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nContent-Type: %s\r\n", no.status, no.title(), kind)
	if no.retryAfter > 0 {
		head = appendField(head, "Retry-After", strconv.Itoa(no.retryAfter))
	}
	if no.allow != "" {
		head = appendField(head, "Allow", no.allow)
	}
	head = append(head, "\r\n"...)
	x.res.Reset()
	if _, err := x.res.Parse(head); err != nil {
		p.log.Error("own answer is malformed", "error", err) // a bug: TestRefusals_AreWellFormed sees all of them
		x.front.abort()
		return
	}
	x.reply = answer{head: &x.res, room: memory.mem[:headRoom:headRoom], x: x, length: int64(len(body)), whole: true, empty: x.method == http.MethodHead, ours: true}
	a := &x.reply
	if !a.empty {
		from := headRoom + usualHead // behind the head
		a.first = piece{memory.mem, from, from + copy(memory.mem[from:], body)}
	}
	x.status = no.status
	x.out = int64(a.first.len())
	if err := x.front.begin(a); err != nil && x.result.Err == nil {
		x.result = Result{Failure: FailureClient, Err: err}
	}
}

// sentence makes a short text about a fault a sentence.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// The forms of an answer, by media type.
const (
	kindText = "text/plain; charset=utf-8"
	kindHTML = "text/html; charset=utf-8"
	kindJSON = "application/problem+json"
	kindXML  = "application/xml"
)

func (p refusal) body(kind, id string) []byte {
	doc := problem{Title: p.title(), Status: p.status, Detail: p.detail, RequestID: id}
	if p.undone {
		doc.Code = codeUnavailable
	}
	switch kind {
	case kindHTML:
		return fmt.Appendf(nil, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>%d %s</title>\n<h1>%d %s</h1>\n<p>%s</p>\n<p><small>Request %s</small></p></html>\n",
			p.status, p.title(), p.status, p.title(), html.EscapeString(p.detail), id)
	case kindJSON:
		if body, err := json.Marshal(doc); err == nil {
			return append(body, '\n')
		}
	case kindXML:
		if body, err := xml.Marshal(doc); err == nil {
			return append([]byte(xml.Header), append(body, '\n')...)
		}
	}
	return fmt.Appendf(nil, "%d %s: %s\nrequest %s\n", p.status, p.title(), p.detail, id)
}

// preferred chooses the form by the Accept header: the first of the highest quality among those we have,
// plain text if the client does not care.
func preferred(accept []string) string {
	kind, best := kindText, 0.0
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		media, params, _ := strings.Cut(part, ";")
		var offer string
		switch strings.ToLower(strings.TrimSpace(media)) {
		case "text/html", "application/xhtml+xml":
			offer = kindHTML
		case "application/json", "application/problem+json", "application/*":
			offer = kindJSON
		case "application/xml", "text/xml", "application/soap+xml":
			offer = kindXML
		case "text/plain", "text/*", "*/*":
			offer = kindText
		default:
			continue
		}
		if q := quality(params); q > best {
			kind, best = offer, q
		}
	}
	return kind
}

func quality(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}
		q, err := strconv.ParseFloat(value, 64)
		if err != nil || q < 0 || q > 1 {
			return 0
		}
		return q
	}
	return 1
}

// refuseFailure is the answer after the last attempt failed.
func (x *exchange) refuseFailure() *refusal {
	r := x.result
	broken := x.body.err()
	switch {
	case r.Failure == FailureClient && isTimeout(broken):
		return &refusal{status: http.StatusRequestTimeout, detail: "The request's body did not arrive in time."}
	case r.Failure == FailureClient && broken != nil:
		return &refusal{status: http.StatusBadRequest, detail: "The request's body could not be read to its end."}
	case r.Failure == FailureClient:
		return &refusal{status: statusClientGone, detail: "The client closed the connection."}
	case r.Failure == FailureTimeout, r.Failure == FailureDown, r.Failure == FailureSlow, r.Failure == FailureConnect && isTimeout(r.Err):
		// That no connection could be made in time leaves the request as it was, unless another member had it before.
		return &refusal{undone: r.Failure == FailureConnect && !x.sent, status: http.StatusGatewayTimeout, detail: "The member that had this request did not answer in time."}
	case r.Failure == FailureConnect && x.sent:
		return &refusal{status: http.StatusBadGateway, detail: "The member that had this request broke off its answer, and no other could be reached."}
	case r.Failure == FailureConnect:
		return &refusal{undone: true, status: http.StatusBadGateway, detail: "No member could be reached. Nothing of the request was carried out."}
	}
	return &refusal{status: http.StatusBadGateway, detail: "The member that had this request broke off its answer; not sent again, since " + x.stopped + "."}
}
