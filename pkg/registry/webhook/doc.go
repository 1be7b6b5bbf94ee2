// Package webhook sends the messages of webhooks over HTTP: signed as the Standard Webhooks specification has it (version 1 of its signatures, HMAC-SHA256; the headers
// webhook-id, webhook-timestamp and webhook-signature), with time limits, without redirects and proxies, and never to an address that lies inside unless the configuration
// allows it. [Sender] is a registry.WebhookSender.
//
// Receivers check a message so: the HMAC-SHA256 over "<webhook-id>.<webhook-timestamp>.<body>", with the bytes that follow "whsec_" in the secret, in base64 after
// "v1,", must be among the signatures in webhook-signature, which are divided by spaces; and the timestamp, seconds since 1970, must not be older than some minutes.
// [Verify] does that.
package webhook
