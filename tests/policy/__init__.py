"""The policy: what may run, who must sign, and whether its files can be trusted."""
