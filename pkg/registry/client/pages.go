package client

import "iter"

// paged gives the entries of a list, page after page; fetch reads the page at a cursor, "" for the first, and gives the cursor of the next one, "" at the end.
// It ends after the first error.
func paged[T any](fetch func(cursor string) (entries []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor := ""; ; {
			entries, next, err := fetch(cursor)
			if err == nil && next != "" && next == cursor {
				err = errEndless
			}
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
			if cursor = next; cursor == "" {
				return
			}
		}
	}
}
