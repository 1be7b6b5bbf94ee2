package registry

// Limits of one request. Lengths of names and texts count characters (Unicode code points), sizes count bytes. The zero value of a field means
// its default.
type Limits struct {
	Content     int64 // bytes of one content; default 100 MiB
	UserWatches int   // watches of one user at this node; default DefaultUserWatches
}

// Fixed limits: columns and keys of every store are sized for them.
const (
	MaxPathLength          = 2048 // characters of a path
	MaxNameLength          = 255  // characters of one name
	MaxDepth               = 256  // names in a path
	MaxMediaTypeLength     = 500
	MaxDescriptionLength   = 1000
	MaxPropertyNameLength  = 100
	MaxPropertyValueLength = 1000
	MaxPropertyValues      = 1000 // values of all properties of one resource together
	MaxUserNameLength      = 255
	MaxVersionComment      = 500  // characters
	MaxLabelLength         = 100  // characters of a label, or of the name of a checkpoint
	MaxLabels              = 100  // of one resource
	MaxCheckpoints         = 100  // of one collection
	MaxRestore             = 2000 // resources and collections that one restore of a collection looks at
	MaxKeepLast            = 1_000_000
	MaxKeepDays            = 36_500
	MaxDiffSize            = 1 << 20 // bytes of a content that is compared line by line
	MaxRoles               = 10_000  // roles of a registry, built-in ones included
	MaxPageSize            = 1000
	DefaultPageSize        = 100

	// DefaultUserWatches is what Limits.UserWatches is when it is zero.
	DefaultUserWatches = 1000

	// DefaultContentLimit is what Limits.Content is when it is zero.
	DefaultContentLimit = 100 << 20
)

func (l Limits) content() int64 {
	if l.Content > 0 {
		return l.Content
	}
	return DefaultContentLimit
}

func (l Limits) userWatches() int {
	if l.UserWatches > 0 {
		return l.UserWatches
	}
	return DefaultUserWatches
}
