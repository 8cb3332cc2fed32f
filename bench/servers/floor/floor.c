/*
 * floor serves events with one send() a client and event, and nothing else: the
 * least that a server can cost which does not let events travel together. It
 * reads no request beyond its end, knows no id but the event's number, checks
 * nobody and keeps nothing.
 *
 *   floor STREAM_PORT INPUT_PORT
 *
 * Both ports are on 127.0.0.1. An event is a line on a connection to the second.
 * When a socket is full the loop waits for it, as net/http does.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MAX_CLIENTS = 65536,
	MAX_REQUEST = 4096, /* longer requests are cut off with their connection */
	MAX_LINE = 65536,
	FULL_WAIT_MS = 10000, /* a client that takes nothing for so long is closed */
	READY = 1024,
};

static const char answer[] =
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n";

static int poller, streams, inputs, input = -1;
static int clients[MAX_CLIENTS], count; /* descriptors that get events */
static int place[MAX_CLIENTS];          /* of a descriptor in clients, plus one; 0: it gets none */
static char line[MAX_LINE];
static size_t held; /* bytes of line */
static uint64_t number;

static void die(const char *what) {
	perror(what);
	exit(1);
}

static void watch(int fd) {
	struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};
	if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) < 0) die("epoll_ctl");
}

static int listen_at(int port) {
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) die("socket");
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4096) < 0) die("listen");
	watch(fd);
	return fd;
}

static void drop(int fd) {
	if (place[fd]) {
		int last = clients[--count];
		clients[place[fd] - 1] = last;
		place[last] = place[fd];
		place[fd] = 0;
	}
	close(fd);
}

/* send_all writes all of b and reports 0, or -1 when the client is gone. */
static int send_all(int fd, const char *b, size_t n) {
	while (n > 0) {
		ssize_t sent = send(fd, b, n, MSG_NOSIGNAL);
		if (sent > 0) {
			b += sent;
			n -= sent;
		} else if (sent < 0 && errno == EAGAIN) {
			struct pollfd p = {.fd = fd, .events = POLLOUT};
			if (poll(&p, 1, FULL_WAIT_MS) <= 0) return -1;
		} else if (!(sent < 0 && errno == EINTR)) {
			return -1;
		}
	}
	return 0;
}

static void accept_all(int from) {
	for (;;) {
		int fd = accept4(from, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
		if (fd < 0) return;
		if (fd >= MAX_CLIENTS) {
			close(fd);
			continue;
		}
		if (from == inputs) {
			if (input >= 0) close(input);
			input = fd;
			held = 0;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		watch(fd);
	}
}

/* request answers a client once its request has ended; one that comes in pieces
 * is not worth a buffer here and is closed. */
static void request(int fd) {
	char b[MAX_REQUEST];
	ssize_t n = recv(fd, b, sizeof b, 0);
	if (n < 0 && errno == EAGAIN) return;
	if (n < 4 || place[fd] || memcmp(b + n - 4, "\r\n\r\n", 4) != 0 || send_all(fd, answer, sizeof answer - 1) < 0) {
		drop(fd);
		return;
	}
	clients[count] = fd;
	place[fd] = ++count;
}

static void publish(const char *event, size_t n) {
	char frame[MAX_LINE + 64];
	int head = snprintf(frame, sizeof frame, "id: %lu\ndata: ", (unsigned long)++number);
	memcpy(frame + head, event, n);
	memcpy(frame + head + n, "\n\n", 2);
	for (int i = 0; i < count;) {
		int fd = clients[i];
		if (send_all(fd, frame, head + n + 2) < 0)
			drop(fd); /* another takes its place */
		else
			i++;
	}
}

static void read_input(void) {
	ssize_t n = recv(input, line + held, sizeof line - held, 0);
	if (n < 0 && errno == EAGAIN) return;
	if (n <= 0) {
		close(input);
		input = -1;
		held = 0;
		return;
	}
	held += n;
	char *from = line, *end;
	while ((end = memchr(from, '\n', line + held - from)) != NULL) {
		publish(from, end - from);
		from = end + 1;
	}
	held = line + held - from;
	memmove(line, from, held);
}

int main(int argc, char **argv) {
	if (argc != 3) {
		fprintf(stderr, "usage: floor STREAM_PORT INPUT_PORT\n");
		return 2;
	}
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if ((poller = epoll_create1(EPOLL_CLOEXEC)) < 0) die("epoll_create1");
	streams = listen_at(atoi(argv[1]));
	inputs = listen_at(atoi(argv[2]));
	for (;;) {
		struct epoll_event ready[READY];
		int n = epoll_wait(poller, ready, READY, -1);
		if (n < 0 && errno != EINTR) die("epoll_wait");
		for (int i = 0; i < n; i++) {
			int fd = ready[i].data.fd;
			if (fd == streams || fd == inputs)
				accept_all(fd);
			else if (fd == input)
				read_input();
			else
				request(fd);
		}
	}
}
