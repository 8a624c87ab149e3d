function offer(name) { print name }
