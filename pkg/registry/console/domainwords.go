package console

// The words of the registry and its cluster that pages show as they are, by what says them; templates ask say for them.
var _ = [][]string{
	{mark("collection"), mark("resource"), mark("link")},                             // registry.Kind
	{mark("read"), mark("write"), mark("delete"), mark("authorize"), mark("manage")}, // registry.Right, and the scope of a token
	{mark("joining"), mark("active"), mark("draining"), mark("maintenance")},         // membership.State
	{mark("waiting"), mark("delivered"), mark("failed")},                             // registry.DeliveryState
	{mark("ok"), mark("note"), mark("warning"), mark("error")},                       // registry.Severity
	{mark("debug"), mark("info"), mark("warn")},                                      // levels of the log, with error
	{ // registry.Event.Action, with delete and ping
		mark("create"), mark("update"), mark("user"), mark("session"), mark("leave"), mark("move"), mark("undelete"), mark("copy"), mark("purge"),
		mark("unlabel"), mark("label"), mark("prune"), mark("retain"), mark("checkpoint"), mark("delete_checkpoint"), mark("tag"), mark("untag"),
		mark("comment"), mark("edit_comment"), mark("delete_comment"), mark("rate"), mark("associate"), mark("dissociate"), mark("permissions"),
		mark("role"), mark("token"), mark("webhook"), mark("order"),
	},
	{mark("unknown")}, // of any of them, when a newer program wrote it
}
