/* The load client of `workshop bench streams`: N connections that read OpenAI-style streams.

       load PORT STREAMS TTFT ITL TOKENS SPREAD WARM WINDOW BODY [together]

   One epoll loop, no threads. Request i leaves SPREAD * i / STREAMS seconds after the start; a
   stream that ends is asked for again on the same connection, until the window closes. With the word
   `together`, all requests leave at once, and again when the last answer has ended. Chunked coding
   is decoded, lines are cut at LF, and a `data:` line whose `content` is not empty is a token. An
   answer with a Content-Length counts as all its tokens. What arrives in the window, from SPREAD + WARM to WINDOW seconds later, is counted; the
   words "begin" and "end" leave when it opens and closes, so that whoever started this can look
   at the server's clocks. Then one line of JSON, times in milliseconds.

   Lateness. A stream has to give token k (from 0) ITL seconds after token k - 1. The only such
   schedule that is tight and that no token came too early for begins at

       base = min over all k of (arrival_k - k * ITL)          lateness_k = arrival_k - k * ITL - base

   so a gap that is longer, once, makes that token late and not those after it, unless the server
   keeps being behind; tokens that drift get later and later; a burst is as late as its first
   tokens waited. A token that is due and has not come when the window closes counts as late as it
   is then, so a server cannot look punctual by sending nothing.
   Age. A token that is a number is the time at which it was made, by CLOCK_MONOTONIC: its age is how
   long it was on its way here, through whatever proxy.
   Lag. lag = base - (request sent + TTFT): how far the whole schedule stands behind what was
   promised. A server that moves its streams into step shows here, not in the lateness.
   Different. All ask the same question. A complete answer is "different" if its number of tokens is
   not the one asked for, or its tokens are not those of the first answer, in their order: then a
   token was lost, doubled or moved.

       load lateness ITL PROMISED END TOKENS < arrivals         the same code, on given numbers */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_FAILURES 100

struct numbers {
    double *all;
    size_t count, room;
};

struct line { /* the first bytes of a line that is not complete: enough to know what it is */
    size_t length;
    char text[512];
};

enum phase { HEAD, SIZE, DATA, AFTER_DATA, TRAILER };

struct stream {
    int fd;
    bool waiting_to_send, answered, done, rests;
    double sent;
    unsigned long hash; /* of the tokens so far (FNV-1a) */
    struct numbers own; /* arrival_k - k * ITL */
    size_t tokens;
    enum phase phase;
    size_t left; /* of the chunk's data, or of the body */
    bool chunked, sized, head_begun;
    struct line head, event;
};

static int port, epoll_fd;
static size_t stream_count, asked_tokens;
static double ttft, itl, begins, ends;
static char *request;
static size_t request_size;
static bool counting, together;
static struct stream *streams;

static size_t tokens, bytes, requests, failures, different, resting, running;
static unsigned long first_hash;
static struct numbers late, lag, first_byte, first_token, age;

static void give_up(const char *what, const char *detail) {
    fprintf(stderr, "%s: %s\n", what, detail);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void push(struct numbers *n, double value) {
    if (n->count == n->room) {
        n->room = n->room ? n->room * 2 : 64;
        n->all = realloc(n->all, n->room * sizeof *n->all);
        if (!n->all) give_up("load", "out of memory");
    }
    n->all[n->count++] = value;
}

/* One stream, or what there is of it when the run ends, becomes numbers. */
static void count_stream(struct stream *s, double end, bool complete) {
    double promised = s->sent + ttft, base = s->own.count ? s->own.all[0] : promised;
    for (size_t k = 1; k < s->own.count; k++)
        if (s->own.all[k] < base) base = s->own.all[k];
    bool in_window = false;
    for (size_t k = 0; k < s->own.count; k++) {
        double arrival = s->own.all[k] + (double)k * itl;
        if (arrival < begins || arrival >= ends) continue;
        in_window = true;
        push(&late, s->own.all[k] - base);
    }
    for (size_t k = s->own.count; !complete && k < asked_tokens; k++) {
        double lateness = end - (base + (double)k * itl);
        if (lateness <= 0) break;
        push(&late, lateness);
    }
    if (in_window) push(&lag, base - promised);
}

static void ask(struct stream *s) {
    ssize_t sent = send(s->fd, request, request_size, MSG_NOSIGNAL);
    if (sent != (ssize_t)request_size) give_up("a request could not be sent", strerror(errno));
    s->sent = now();
    s->answered = s->done = s->chunked = s->sized = s->head_begun = s->waiting_to_send = false;
    s->hash = 14695981039346656037UL;
    s->tokens = s->own.count = s->head.length = s->event.length = 0;
    s->phase = HEAD;
}

/* Asks, or rests until all may ask together. */
static void ask_or_rest(struct stream *s) {
    if (!together) {
        ask(s);
        return;
    }
    s->rests = true;
    if (++resting < stream_count) return;
    for (resting = 0; resting < stream_count; resting++) {
        streams[resting].rests = false;
        ask(&streams[resting]);
    }
    resting = 0;
}

static void end_of_answer(struct stream *s, double time) {
    if (!s->done) give_up("an answer", "ended without [DONE]");
    count_stream(s, time, true);
    if (!first_hash) first_hash = s->hash;
    different += s->tokens != asked_tokens || s->hash != first_hash;
    requests += counting;
    ask_or_rest(s);
}

static void watch(struct stream *s, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = s};
    if (epoll_ctl(epoll_fd, operation, s->fd, &event)) give_up("epoll_ctl", strerror(errno));
}

static void open_stream(struct stream *s) {
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct linger reset = {.l_onoff = 1}; /* leave no port behind in TIME_WAIT */
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0) give_up("socket", strerror(errno));
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (connect(s->fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS)
        give_up("connect", strerror(errno));
    s->waiting_to_send = true;
    watch(s, EPOLL_CTL_ADD, EPOLLOUT);
}

static void reopen(struct stream *s) {
    if (s->rests) resting--;
    s->rests = false;
    if (++failures > MAX_FAILURES) give_up("load", "too many streams were cut off or refused");
    close(s->fd);
    open_stream(s);
}

static void keep(struct line *line, const char *data, size_t size) {
    size_t room = sizeof line->text - 1 - line->length;
    if (size > room) size = room;
    memcpy(line->text + line->length, data, size);
    line->length += size;
    line->text[line->length] = 0;
}

static void end_of_event_line(struct stream *s, double time) {
    static const char content[] = "content\":\"";
    const char *text = s->event.text;
    if (strncmp(text, "data: [DONE]", 12) == 0) s->done = true;
    const char *found = strncmp(text, "data: ", 6) == 0 ? strstr(text, content) : NULL;
    if (!found || found[sizeof content - 1] == '"') return; /* "content":"" is no token */
    double made = strtod(found + sizeof content - 1, NULL);
    for (const char *c = found + sizeof content - 1; *c && *c != '"'; c++)
        s->hash = (s->hash ^ (unsigned char)*c) * 1099511628211UL;
    s->hash = (s->hash ^ '"') * 1099511628211UL;
    if (made > 0 && counting) push(&age, time - made);
    if (itl > 0) push(&s->own, time - (double)s->tokens * itl);
    if (s->tokens++ == 0 && counting && s->sent >= begins) push(&first_token, time - s->sent);
    tokens += counting;
}

static void end_of_head_line(struct stream *s, double time) {
    const char *text = s->head.text;
    bool empty = text[0] == '\r';
    switch (s->phase) {
    case HEAD:
        if (!s->head_begun && !strstr(text, " 200 ")) give_up("refused", text);
        s->head_begun = true;
        if (strncasecmp(text, "transfer-encoding:", 18) == 0) s->chunked = strcasestr(text, "chunked");
        if (strncasecmp(text, "content-length:", 15) == 0) {
            s->sized = true;
            s->left = strtoul(text + 15, NULL, 10);
        }
        if (empty && !s->chunked && !s->sized) give_up("an answer", "has no framing");
        if (empty) s->phase = s->chunked ? SIZE : DATA;
        break;
    case SIZE:
        s->left = strtoul(text, NULL, 16);
        s->phase = s->left ? DATA : TRAILER;
        break;
    case TRAILER:
        if (empty) end_of_answer(s, time);
        break;
    default:
        s->phase = SIZE;
    }
}

static void receive(struct stream *s, const char *data, size_t size, double time) {
    while (size) {
        if (s->phase == DATA && s->sized) { /* a whole answer */
            size_t taken = size < s->left ? size : s->left;
            data += taken, size -= taken;
            if (s->left -= taken) continue;
            s->tokens = asked_tokens, s->done = true;
            tokens += counting ? asked_tokens : 0;
            end_of_answer(s, time);
            continue;
        }
        bool in_data = s->phase == DATA;
        struct line *line = in_data ? &s->event : &s->head;
        size_t most = in_data && s->left < size ? s->left : size;
        const char *lf = memchr(data, '\n', most);
        size_t taken = lf ? (size_t)(lf - data) + 1 : most;
        keep(line, data, taken);
        if (in_data && (s->left -= taken) == 0) s->phase = AFTER_DATA;
        if (lf) {
            if (in_data) end_of_event_line(s, time);
            else end_of_head_line(s, time);
            line->length = 0;
        }
        data += taken;
        size -= taken;
    }
}

static void handle(struct stream *s) {
    static char data[1 << 16];
    if (s->waiting_to_send) {
        int error = 0;
        getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error});
        if (error) {
            reopen(s);
            return;
        }
        s->waiting_to_send = false;
        watch(s, EPOLL_CTL_MOD, EPOLLIN);
        ask_or_rest(s);
        return;
    }
    ssize_t size = recv(s->fd, data, sizeof data, 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) {
        reopen(s);
        return;
    }
    double time = now();
    bytes += counting ? (size_t)size : 0;
    if (!s->answered && counting && s->sent >= begins) push(&first_byte, time - s->sent);
    s->answered = true;
    receive(s, data, (size_t)size, time);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_numbers(const char *name, struct numbers *n) {
    static const struct { const char *name; double part; } marks[] = {{"p50", .5}, {"p90", .9}, {"p99", .99}, {"max", 1}};
    printf("\"%s\":{\"count\":%zu", name, n->count);
    if (n->count) qsort(n->all, n->count, sizeof *n->all, compare);
    for (size_t i = 0; n->count && i < 4; i++)
        printf(",\"%s\":%.4f", marks[i].name, 1e3 * n->all[(size_t)((double)(n->count - 1) * marks[i].part)]);
    printf("},");
}

static double cpu(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}

static double run(double spread, double start) {
    streams = calloc(stream_count, sizeof *streams);
    struct epoll_event ready[256];
    size_t opened = 0;
    double used = 0, time;
    if (!streams) give_up("load", "out of memory");
    while ((time = now()) < ends) {
        if (!counting && time >= begins) {
            counting = true;
            used = cpu();
            puts("begin");
        }
        double next = counting ? ends : begins;
        for (; opened < stream_count; opened++) {
            double due = start + spread * (double)opened / (double)stream_count;
            if (due > time) {
                if (due < next) next = due;
                break;
            }
            open_stream(&streams[opened]);
        }
        int count = epoll_wait(epoll_fd, ready, 256, (int)((next - time) * 1e3) + 1);
        if (count < 0) give_up("epoll_wait", strerror(errno));
        for (int i = 0; i < count; i++) handle(ready[i].data.ptr);
    }
    puts("end");
    used = cpu() - used;
    for (size_t i = 0; i < opened; i++) running += streams[i].answered;
    for (size_t i = 0; itl > 0 && i < opened; i++)
        if (!streams[i].waiting_to_send) count_stream(&streams[i], time, false);
    return used;
}

static int lateness(char **given) {
    struct stream s = {.sent = atof(given[1])};
    double arrival;
    itl = atof(given[0]), ends = 1e18, asked_tokens = (size_t)atol(given[3]);
    for (size_t k = 0; scanf("%lf", &arrival) == 1; k++) push(&s.own, arrival - (double)k * itl);
    count_stream(&s, atof(given[2]), false);
    for (size_t k = 0; k < late.count; k++) printf("%.6f ", late.all[k]);
    for (size_t k = 0; k < lag.count; k++) printf("| %.6f", lag.all[k]);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 6 && strcmp(argv[1], "lateness") == 0) return lateness(argv + 2);
    together = argc == 11 && strcmp(argv[10], "together") == 0;
    if (argc != 10 + together)
        give_up("usage", "load PORT STREAMS TTFT ITL TOKENS SPREAD WARM WINDOW BODY [together]");
    double spread = atof(argv[6]), start = now();
    port = atoi(argv[1]), stream_count = (size_t)atol(argv[2]), asked_tokens = (size_t)atol(argv[5]);
    ttft = atof(argv[3]), itl = atof(argv[4]);
    begins = start + spread + atof(argv[7]), ends = begins + atof(argv[8]);
    int size = asprintf(&request,
                        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                        "Accept: application/json\r\nAuthorization: Bearer sk-bench\r\n"
                        "User-Agent: bench\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        port, strlen(argv[9]), argv[9]);
    if (size < 0) give_up("load", "out of memory");
    request_size = (size_t)size;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    setvbuf(stdout, NULL, _IOLBF, 0);
    double used = run(spread, start);
    printf("{");
    print_numbers("late", &late);
    print_numbers("lag", &lag);
    print_numbers("first_byte", &first_byte);
    print_numbers("first_token", &first_token);
    print_numbers("age", &age);
    printf("\"tokens\":%zu,\"bytes\":%zu,\"answers\":%zu,\"failures\":%zu,\"different\":%zu,"
           "\"running\":%zu,\"client_cpu\":%.4f,\"seconds\":%.6f}\n",
           tokens, bytes, requests, failures, different, running, used, ends - begins);
    return 0;
}
