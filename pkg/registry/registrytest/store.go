package registrytest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// Store is what the contract is about: the port of package registry, the accounts port of package auth, and the life of a store.
type Store interface {
	registry.Store
	registry.WebhookStore
	registry.Backuper
	RestoreBackup(ctx context.Context, r io.ReadSeeker) (registry.BackupSummary, error)

	UserByName(ctx context.Context, name string) (registry.User, error)
	UserByID(ctx context.Context, id registry.ID, f registry.Freshness) (registry.User, error)
	CreateUser(ctx context.Context, u registry.User) (registry.User, error)
	SetPassword(ctx context.Context, id registry.ID, phc string) error
	CreateSession(ctx context.Context, s registry.Session, password string, most int) error
	SessionByToken(ctx context.Context, token registry.Hash) (registry.Session, error)
	DeleteSession(ctx context.Context, token registry.Hash) error

	AddUser(ctx context.Context, op registry.Op, u registry.User) (registry.User, error)
	ChangeUser(ctx context.Context, op registry.Op, name string, change func(registry.User, int) (registry.UserChange, error)) error
	DeleteUser(ctx context.Context, op registry.Op, name string, check func(registry.User, int) error) error
	Users(ctx context.Context, after string, limit int) ([]registry.User, error)
	Members(ctx context.Context, role registry.ID, after string, limit int) ([]registry.User, error)
	HasAdmin(ctx context.Context) (bool, error)
	Roles(ctx context.Context) ([]registry.Role, error)
	AddRole(ctx context.Context, op registry.Op, r registry.Role) (registry.Role, error)
	ChangeRole(ctx context.Context, op registry.Op, name string, change func(registry.Role) (registry.Role, error)) error
	DeleteRole(ctx context.Context, op registry.Op, name string, check func(registry.Role) error) error
	Sessions(ctx context.Context, account registry.ID, limit int) ([]registry.Session, error)
	EndSession(ctx context.Context, op registry.Op, account, public registry.ID) error
	AddToken(ctx context.Context, op registry.Op, t registry.Token, most int) (registry.Token, error)
	TokenByHash(ctx context.Context, hash registry.Hash) (registry.Token, error)
	Tokens(ctx context.Context, account registry.ID, limit int) ([]registry.Token, error)
	DeleteToken(ctx context.Context, op registry.Op, account, id registry.ID) error
	UseToken(ctx context.Context, hash registry.Hash, used time.Time) error

	registry.OrderLog

	Migrate(ctx context.Context) error
	Statements() int64
	RowsWritten() int64
	SweepTrees(ctx context.Context) (int64, error)
	IndexSearch(ctx context.Context) (int, error)
	Close() error
}

// Database is one database, empty when it is made. Each call of Open gives one more store on it, not yet migrated, as each node of a cluster has one;
// the test closes it.
type Database interface {
	Open(t testing.TB) Store
}

// Preparer is a [Database] that can be given its tables, as Migrate makes them, in a quicker way. Prepare does nothing where they are.
type Preparer interface {
	Prepare(t testing.TB)
}

// prepare saves most tests the migrations, which take longer than they do. Migrate comes all the same and must find nothing to do.
func prepare(t testing.TB, db Database) {
	t.Helper()
	if p, ok := db.(Preparer); ok {
		p.Prepare(t)
	}
}

// RunStoreTests runs the contract, but for [RunMemoryTests]. fresh makes an empty database for one test.
func RunStoreTests(t *testing.T, fresh func(t testing.TB) Database) {
	t.Helper()
	tests := []struct {
		name string
		run  func(*testing.T, func(testing.TB) Database)
	}{
		{"CreatesReadsRevisesAndTrashes", testLife},
		{"KeepsNamesExactly", testNames},
		{"ReachesDeepPaths", testDepth},
		{"FindsNothingBelowAGap", testGap},
		{"KeepsMountPointsInSight", testMountPoints},
		{"RefusesWhatDoesNotFit", testConflicts},
		{"PagesChildrenInOrder", testChildren},
		{"KeepsVersionsAndRestores", testVersions},
		{"MakesNoVersionOfTheSame", testNoOp},
		{"KeepsCommentsOfVersions", testVersionComments},
		{"PrunesVersionsByRule", testRetention},
		{"PreviewsRetention", testRetentionPreview},
		{"KeepsWhatLabelsAndCheckpointsName", testRetentionKeeps},
		{"KeepsWhatLayBelowACheckpoint", testRetentionWhereItWas},
		{"KeepsRevisions", testRevisionsKept},
		{"RemovesRevisions", testRevisionsRemoved},
		{"AssociatesAllOrNothing", testAssociatesAll},
		{"SweepsContentsThatNobodyNames", testSweep},
		{"NeverSweepsWhatIsPutAgain", testSweepRaces},
		{"TellsPastStates", testAt},
		{"TellsPastStatesOfRandomTrees", testAtRandom},
		{"TellsWhatRetentionRemoved", testAtRetention},
		{"ReadsBoundedPastPages", testAtPages},
		{"RestoresTrees", testRestoreTree},
		{"RestoresTreesWholeOrNotAtAll", testRestoreTreeRefused},
		{"RestoresFromBelow", testRestoreFromBelow},
		{"MovesLabels", testLabels},
		{"MovesLabelsFromWhereTheyWereSeen", testLabelRaces},
		{"HoldsPreconditions", testPreconditions},
		{"KeepsEqualContentOnce", testEqualContent},
		{"LeavesNothingOfCutContent", testCutContent},
		{"GroupsPassingAndFailingChanges", testGroups},
		{"SurvivesPanicsAndCancellation", testPanics},
		{"ShowsWritesOfOneStoreInTheOther", testAlternation},
		{"AnswersFromMemoryUpToMin", testMinSeq},
		{"SeesItsOwnCommitsWhateverMin", testOwnCommits},
		{"AsksOnceARequest", testSeen},
		{"ShowsWhatAChangeWasRefusedFor", testSeenAfterRefusal},
		{"LosesNoUpdate", testNoLostUpdate},
		{"SharesQueriesOfTheHead", testStatements},
		{"StartsSeveralOnAnEmptyDatabase", testMigrations},
		{"SharesAccountsAndSessions", testAccounts},
		{"CountsTagsOfAllUsers", testTags},
		{"CountsEveryUserOnce", testConcurrentUsers},
		{"FindsWhatIsTagged", testTagged},
		{"KeepsThreadsOfComments", testComments},
		{"PagesComments", testCommentPages},
		{"SumsUpRatings", testRatings},
		{"LinksResourcesWhereverTheyAre", testAssociations},
		{"PagesAssociations", testAssociationPages},
		{"FollowsAssociations", testGraph},
		{"TellsWhatPointsToWhatGoes", testDependents},
		{"HidesWhatBelongsToTheTrash", testAttachedInTrash},
		{"LeavesNothingOfAFailedAnnotation", testFailedAnnotation},
		{"LeavesVersionsAlone", testAttachedLeavesVersions},
		{"MovesAndRenames", testMove},
		{"ExchangesNames", testExchange},
		{"MovesAtOnce", testMovesAtOnce},
		{"MovesAnythingInFewRows", testMoveRows},
		{"KeepsATrash", testTrash},
		{"PurgesTheTrash", testPurge},
		{"KeepsContentsThatAreNamed", testCollect},
		{"CopiesTrees", testCopy},
		{"FollowsLinks", testLinks},
		{"AnswersOnce", testOnce},
		{"NotesOrders", testOrders},
		{"AsksForRights", testRights},
		{"FindsWhatWasWritten", testSearch},
		{"FindsTheSameWithAndWithoutAnIndex", testSearchModel},
		{"FollowsTheTreeWhenItSearches", testSearchTree},
		{"FindsWhatTheActorMayRead", testSearchRights},
		{"SearchesByPermission", testSearchPermissions},
		{"PagesHits", testSearchPages},
		{"KeepsItsPlaceAmongHits", testSearchPlace},
		{"SearchesTrees", testSearchPaths},
		{"FindsNoAssociationOfWhatWasPurged", testSearchPurgedTarget},
		{"TellsEventsInOrder", testEvents},
		{"TellsWhereThingsWent", testTreeEvents},
		{"TellsEveryRequestOnce", testEventsOnce},
		{"KeepsStars", testStars},
		{"TakesAwayTheStarsOfTheGone", testStarsOfTheGone},
		{"ShowsStarsToWhoMayRead", testStarRights},
		{"TellsWhatIsAttached", testCommunityEvents},
		{"TellsHistory", testHistoryEvents},
		{"FiltersItsActivity", testActivity},
		{"FiltersByTime", testActivityTimes},
		{"TellsOtherPathsToWhoMayReadThere", testRelatedPaths},
		{"KeepsAccesses", testAccesses},
		{"TellsWatchersOfTwoNodes", testWatch},
		{"DecidesByTheNearestEntry", testAccess},
		{"ExplainsWhatItDecides", testExplain},
		{"ExplainsNothingOfHiddenPlaces", testExplainHidden},
		{"KeepsEntriesWithTheirNodes", testEntriesMove},
		{"RefusesTheNextReadAfterARevocation", testRevocation},
		{"FillsPagesPastHiddenChildren", testHidden},
		{"GuardsWhatLiesBelow", testTree},
		{"MovesByPermission", testGuardedMoves},
		{"CopiesByPermission", testGuardedCopies},
		{"KeepsPermissionsInTheTrash", testGuardedTrash},
		{"AsksWhereThingsComeBack", testGuardedReturn},
		{"AsksForEachStepOfABatch", testGuardedBatches},
		{"ListsAndCountsByPermission", testGuardedLists},
		{"GuardsThePast", testGuardedPast},
		{"InheritsAcrossMounts", testAccessMounts},
		{"ReadsPermissionsFromMemory", testAccessStatements},
		{"ChangesUsersAndRoles", testUsers},
		{"KeepsTheLastAdministrator", testAdmins},
		{"EndsSessionsAndTokensEverywhere", testCredentials},
		{"EndsTheOldestSessionForAnother", testSessionLimit},
		{"KeepsWebhooks", testWebhooks},
		{"NotesDeliveries", testDeliveries},
		{"TellsWebhooksInOrder", testWebhookOrder},
		{"TriesAgainAndGivesUp", testWebhookRetries},
		{"TellsWebhooksWhatTheirOwnersMayRead", testWebhookRights},
		{"DeliversThroughTheLossOfNodes", testWebhookTakeover},
		{"AsksLittleWhenThereIsNothingToTell", testWebhookLoad},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, fresh) })
	}
}

// RunMemoryTests runs that part of the contract which no other test may run beside, since it measures the memory of the process.
func RunMemoryTests(t *testing.T, fresh func(t testing.TB) Database) {
	t.Helper()
	t.Run("StreamsLargeContent", func(t *testing.T) { testLargeContent(t, fresh) })
	t.Run("ReadsPermissionsWithoutGarbage", func(t *testing.T) { testAccessAllocations(t, fresh) })
}

// node is one store of a test with the use cases on it, as a node of a cluster has them.
type node struct {
	Store
	svc *registry.Service
	db  Database
}

var actor = registry.Actor{User: "tester", RequestID: "request-1"}

// open gives n nodes on one fresh database, migrated.
func open(t *testing.T, fresh func(testing.TB) Database, n int) []*node {
	t.Helper()
	db := fresh(t)
	prepare(t, db)
	nodes := make([]*node, n)
	for i := range nodes {
		s := db.Open(t)
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatalf("migrate: %v", err)
		}
		nodes[i] = newNode(t, s)
		nodes[i].db = db
	}
	return nodes
}

func newNode(t *testing.T, s Store) *node {
	t.Helper()
	mounts, err := registry.NewMounts(registry.Mount{Path: registry.Root, Store: s, Target: registry.Root})
	if err != nil {
		t.Fatal(err)
	}
	return &node{Store: s, svc: registry.NewService(registry.Config{Mounts: mounts, Authorizer: registry.SignedIn{}})}
}

// put stores text at p.
func (n *node) put(t testing.TB, p registry.Path, text string) registry.PutResult {
	t.Helper()
	res, err := n.svc.Put(context.Background(), actor, registry.PutInput{Path: p, Body: bytes.NewReader([]byte(text))})
	if err != nil {
		t.Fatalf("put %s: %v", p, err)
	}
	return res
}

// get reads what is at p.
func (n *node) get(t testing.TB, p registry.Path) registry.Resource {
	t.Helper()
	r, err := n.svc.Get(context.Background(), actor, p, registry.Freshness{})
	if err != nil {
		t.Fatalf("get %s: %v", p, err)
	}
	return r
}

// text reads the content of version v of what is at p, the current one for 0.
func (n *node) text(t testing.TB, p registry.Path, v int64) string {
	t.Helper()
	_, _, c, err := n.svc.Open(context.Background(), actor, p, v, registry.Freshness{})
	if err != nil {
		t.Fatalf("open %s: %v", p, err)
	}
	data, err := io.ReadAll(c)
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatalf("read %s: %v", p, err)
	}
	return string(data)
}

func wantCode(t testing.TB, err error, code registry.Code) {
	t.Helper()
	if got := registry.CodeOf(err); got != code {
		t.Errorf("error has the code %q, want %q: %v", got, code, err)
	}
}

func op() registry.Op { return registry.Op{Actor: actor, At: time.Now()} }
