package registry

// ServerView is what the service tells of itself to who may see the server.
type ServerView struct {
	Mounts       []Mount // by path
	ContentLimit int64   // bytes of one content
}

// ServerView tells how the server is set up, and admits to what else its doors tell of it, such as its members and stores. Needs [GrantServer].
func (s *Service) ServerView(a Actor) (ServerView, error) {
	if !a.Holds(GrantServer) {
		return ServerView{}, Errorf(CodeDenied, "you may not see the members, stores and mounts of the server")
	}
	return ServerView{Mounts: s.mounts.All(), ContentLimit: s.ContentLimit()}, nil
}
