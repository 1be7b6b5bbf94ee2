package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of the Standard Webhooks.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

const (
	secretPrefix    = "whsec_"
	signatureScheme = "v1,"
)

// key is the bytes of a secret.
func key(secret string) ([]byte, error) {
	text, ok := strings.CutPrefix(secret, secretPrefix)
	if !ok {
		return nil, errors.New("the secret does not begin with " + secretPrefix)
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) < 16 {
		return nil, errors.New("the secret is not 16 bytes or more in base64")
	}
	return b, nil
}

// Sign gives the signature of a message: "v1," and the base64 of the HMAC-SHA256 over "<id>.<seconds since 1970>.<body>".
func Sign(secret, id string, at time.Time, body []byte) (string, error) {
	k, err := key(secret)
	if err != nil {
		return "", err
	}
	m := hmac.New(sha256.New, k)
	m.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	m.Write(body)
	return signatureScheme + base64.StdEncoding.EncodeToString(m.Sum(nil)), nil
}

// Verify checks a message as a receiver does: its signature, and that it was sent at most tolerance before or after now.
func Verify(secret string, h http.Header, body []byte, now time.Time, tolerance time.Duration) error {
	seconds, err := strconv.ParseInt(h.Get(HeaderTimestamp), 10, 64)
	if err != nil {
		return errors.New("the header " + HeaderTimestamp + " is not a number of seconds")
	}
	at := time.Unix(seconds, 0)
	if d := now.Sub(at); d > tolerance || d < -tolerance {
		return errors.New("the message is too old, or of the future")
	}
	want, err := Sign(secret, h.Get(HeaderID), at, body)
	if err != nil {
		return err
	}
	for s := range strings.FieldsSeq(h.Get(HeaderSignature)) {
		if hmac.Equal([]byte(s), []byte(want)) {
			return nil
		}
	}
	return errors.New("no signature is of this secret and body")
}
