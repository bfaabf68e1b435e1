"""The virtual file system: files, inodes, dentries, pipes, eventfd, epoll, tmpfs, character devices."""
