/* The floor in C: one loop that sends one constant frame for each token that is due.

       floor TTFT ITL      prints its address; seconds, as for the other peers

   Its schedule has slots of 5 ms, as the engine's. Its HTTP is just enough for the load client: a
   request comes in one read, and its "max_tokens" says how many frames it gets. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SLOT 0.005
#define SLOTS 4096 /* more than the longest wait */
#define EVENT(delta, reason) "data: {\"id\":\"chatcmpl-0123456789abcdef01234567\",\"object\":" \
    "\"chat.completion.chunk\",\"created\":1764500000,\"model\":\"lorem\",\"system_fingerprint\":" \
    "\"fp_sim_1\",\"choices\":[{\"index\":0,\"delta\":" delta ",\"logprobs\":null," \
    "\"finish_reason\":" reason "}]}\n\n"

struct stream {
    int fd;
    long left; /* frames */
    double due;
    struct stream *next;
};

static struct stream *slots[SLOTS];
static const char role[] = EVENT("{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}", "null");
static const char token[] = EVENT("{\"content\":\" Lorem\"}", "null");
static const char end[] = EVENT("{}", "\"stop\"") "data: [DONE]\n\n";
static char first[1024], frame[512], last[512];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void push(struct stream *s) {
    struct stream **slot = &slots[((long)(s->due / SLOT) + 1) % SLOTS];
    s->next = *slot;
    *slot = s;
}

static void receive(struct stream *s, double ttft) {
    char data[4096];
    ssize_t size = recv(s->fd, data, sizeof data - 1, 0);
    if (size <= 0) {
        close(s->fd); /* a stream that still has tokens fails at its next send */
        s->fd = -1;
        return;
    }
    data[size] = 0;
    char *wanted = strstr(data, "\"max_tokens\": ");
    if (!wanted) return;
    s->left = atol(wanted + 14);
    s->due = now() + ttft;
    send(s->fd, first, strlen(first), MSG_NOSIGNAL);
    push(s);
}

static void send_due(long slot, double itl) {
    struct stream *s = slots[slot % SLOTS], *next;
    slots[slot % SLOTS] = NULL;
    for (; s; s = next) {
        next = s->next;
        if (send(s->fd, frame, strlen(frame), MSG_NOSIGNAL) < 0) continue;
        s->due += itl;
        if (--s->left) push(s);
        else send(s->fd, last, strlen(last), MSG_NOSIGNAL);
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    double ttft = argc > 1 ? atof(argv[1]) : 0.2, itl = argc > 2 ? atof(argv[2]) : 0.03;
    int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0);
    if (bind(listener, (void *)&address, size) || listen(listener, 2048)) return 1;
    getsockname(listener, (void *)&address, &size);
    printf("listens on http://127.0.0.1:%d/\n", ntohs(address.sin_port));
    fflush(stdout);
    sprintf(first, "HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 08:00:00 GMT\r\nContent-Type: "
            "text/event-stream; charset=utf-8\r\nCache-Control: no-cache, no-transform\r\n"
            "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n", strlen(role), role);
    sprintf(frame, "%zx\r\n%s\r\n", strlen(token), token);
    sprintf(last, "%zx\r\n%s\r\n0\r\n\r\n", strlen(end), end);
    struct epoll_event event = {.events = EPOLLIN}, ready[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (long slot = (long)(now() / SLOT);;) {
        double wait = (double)(slot + 1) * SLOT - now();
        int count = epoll_wait(epoll, ready, 256, wait > 0 ? (int)(wait * 1e3) + 1 : 0);
        for (int i = 0; i < count; i++) {
            struct stream *s = ready[i].data.ptr;
            if (s) {
                receive(s, ttft);
                continue;
            }
            s = calloc(1, sizeof *s);
            s->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
            setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
            struct epoll_event theirs = {.events = EPOLLIN, .data.ptr = s};
            epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &theirs);
        }
        while ((double)(slot + 1) * SLOT <= now()) send_due(++slot, itl);
    }
}
