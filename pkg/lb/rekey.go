package lb

// SetAffinityKeys replaces the secrets from which affinity tokens are derived, as Config.AffinityKeys gave them at the start: the first signs from now
// on, all are accepted. A secret that is too short is an error and changes nothing. Sessions whose token is of a secret that is left out go anywhere.
func (d *Discovery) SetAffinityKeys(secrets [][]byte) error {
	masters, err := newMasterKeys(secrets)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.proxy.mu.Lock()
	d.proxy.masters = masters
	d.proxy.mu.Unlock()
	d.proxy.Use(d.newTable()) // tokens of members are made with the table
	return nil
}
