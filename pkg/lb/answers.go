package lb

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
)

// refusal is an answer that the ELB gives by itself.
type refusal struct {
	status     int
	detail     string // what happened and what to do, for the client's eyes
	retryAfter int    // seconds; 0 = not said
	allow      string // methods, with 405
}

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
	RequestID string   `json:"request_id" xml:"request_id"`
}

// write sends the refusal in the form that the client likes best.
func (p refusal) write(w http.ResponseWriter, x *Exchange) {
	h := w.Header()
	h.Set(headerRequestID, x.ID)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	kind := preferred(x.Request.Header["Accept"])
	body := p.body(kind, x.ID)
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.status)
	if x.Request.Method != http.MethodHead {
		_, _ = w.Write(body) // the client left: nobody to tell
	}
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
func (x *Exchange) refuseFailure() refusal {
	r := x.result
	// The server calls a client gone when a read from it fails, so the body's own error is looked at first.
	broken := r.Err
	if x.Body != nil {
		broken = x.Body.Err()
	}
	switch {
	case r.Failure == FailureClient && isTimeout(broken):
		return refusal{status: http.StatusRequestTimeout, detail: "The request's body did not arrive in time."}
	case r.Failure == FailureClient && broken != nil:
		return refusal{status: http.StatusBadRequest, detail: "The request's body could not be read to its end."}
	case r.Failure == FailureClient:
		return refusal{status: statusClientGone, detail: "The client closed the connection."}
	case r.Failure == FailureTimeout, r.Failure == FailureConnect && isTimeout(r.Err):
		return refusal{status: http.StatusGatewayTimeout, detail: "The member that had this request did not answer in time."}
	case r.Failure == FailureConnect && x.sent:
		return refusal{status: http.StatusBadGateway, detail: "The member that had this request broke off its answer, and no other could be reached."}
	case r.Failure == FailureConnect:
		return refusal{status: http.StatusBadGateway, detail: "No member could be reached. Nothing of the request was carried out."}
	}
	return refusal{status: http.StatusBadGateway, detail: "The member that had this request broke off its answer; not sent again, since " + x.stopped + "."}
}
