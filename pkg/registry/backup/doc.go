// Package backup is the format of backups: the tables of one store, as they were at one moment, in a file that any database of the family can be filled from again and that ordinary
// tools can look into.
//
// A backup is a tar archive, compressed with gzip:
//
//	manifest.json             what it holds: [Manifest]; always the first
//	rows/TABLE/000001.jsonl   the rows of the tables, in pieces of about 4 MiB: each line a JSON array with the columns in the order of the manifest: whole
//	                          numbers as numbers, bytes in base64, null for nothing
//	end.json                  how many rows each table has: [End]; always the last, so that a file that was cut off is known for it
//
// Each entry has its SHA-256 in a PAX record, REGENT.sha256, in hexadecimal. [Read] checks all of it.
package backup
