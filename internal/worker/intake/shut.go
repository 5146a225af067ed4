package intake

// Withdraw ends a grant that is not used, because the worker must not fetch now. There are no more
// grants until [Intake.Reopen].
func (g *Grant) Withdraw() {
	src, in := g.src, g.src.in
	in.mu.Lock()
	defer in.mu.Unlock()
	g.returnLocked()
	returnLocked(g.shares)
	g.shares = nil
	src.busy, src.hot, in.shut = false, true, true
	for _, s := range in.sources {
		clear(s.short) // it wants nothing of a limit now; the next fetch finds out anew
	}
	in.decideLocked()
}

// Reopen lets the worker fetch again after [Grant.Withdraw].
func (in *Intake) Reopen() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.shut = false
	for _, s := range in.sources {
		s.hot = true
	}
	in.decideLocked()
}
