package lb

import "testing"

func TestStreamSet_HoldsTheLastThousand(t *testing.T) {
	t.Parallel()
	var s streamSet
	kept := map[uint32]bool{}
	top := uint32(0)
	for i, step := range []uint32{1, 2, 2, 2, 128, 2, 2046, 2, 2, 2048, 2, 5000, 2, 2, 2} {
		top += step
		s.reach(top)
		if s.has(top) {
			t.Errorf("stream %d was not added and is there", top)
		}
		if i%2 == 0 {
			s.add(top)
			kept[top] = true
		}
		for id := uint32(1); id <= top; id += 2 {
			if want := kept[id] && top-id < 2*streamSetSize; s.has(id) != want {
				t.Errorf("top %d: stream %d: %v", top, id, !want)
			}
		}
	}
}

func TestPatience_ComesBackWithTimeAndUse(t *testing.T) {
	t.Parallel()
	p := newPatience(0)
	for range patienceMost {
		if !p.spend(0) {
			t.Fatal("it ended early")
		}
	}
	if p.spend(0) {
		t.Error("it has no end")
	}
	p.earn(3)
	first, second, third := p.spend(0), p.spend(0), p.spend(0)
	if !first || !second || third { // one was owed
		t.Errorf("after what is worth three, less what was owed: %+v", p)
	}
	now := 5 * patienceRegains
	for range 4 {
		if !p.spend(now) {
			t.Error("time gave too little back")
		}
	}
	if p.spend(now) {
		t.Error("time gave too much back")
	}
}
