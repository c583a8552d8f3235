"""Web servers and balancers as hops: nginx, HAProxy, Caddy, Apache, lighttpd.

Each configuration is a line of the table, written as in the program's documentation. `UP` is the
upstream's address.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from .hop import IDLE, Configuration, Configurations, Hop

__all__ = ["Apache", "Caddy", "HAProxy", "Lighttpd", "Nginx"]

INNER = "the inner also:"


class Nginx(Hop):
    """All configurations are servers in one file. `twice-…` relays to a second server in the same
    file."""

    name = "nginx"
    command = ("nginx", "/usr/sbin/nginx")
    package = "nginx-light"
    versions = ("-v", r"nginx/(\S+)")
    idle = f"`proxy_read_timeout {IDLE}s;` (60 s by default)"
    configurations: ClassVar[Configurations] = {
        "default": Configuration("proxy_pass UP;", "nobuf-http11"),
        "http11": Configuration("proxy_pass UP; proxy_http_version 1.1;", "nobuf-http11"),
        "nobuf": Configuration("proxy_pass UP; proxy_buffering off;", "nobuf-http11"),
        "nobuf-http11": Configuration(
            "proxy_pass UP; proxy_buffering off; proxy_http_version 1.1;"
        ),
        "ignore-header": Configuration(
            "proxy_pass UP; proxy_ignore_headers X-Accel-Buffering;", "nobuf-http11"
        ),
        "gzip-types": Configuration(
            "proxy_pass UP; gzip on; gzip_types text/event-stream;", "gzip-types-nobuf"
        ),
        "gzip-types-http11": Configuration(
            "proxy_pass UP; proxy_http_version 1.1; gzip on; gzip_types text/event-stream;",
            "gzip-types-nobuf",
        ),
        "gzip-types-nobuf": Configuration(
            "proxy_pass UP; proxy_http_version 1.1; proxy_buffering off; gzip on;"
            " gzip_types text/event-stream;"
        ),
        "twice": Configuration("two nginx, both: proxy_pass UP;", "twice-nobuf"),
        "twice-pass-header": Configuration(
            f"two nginx, both: proxy_pass UP; {INNER} proxy_pass_header X-Accel-Buffering;",
            "twice-nobuf",
        ),
        "twice-http11": Configuration(
            "two nginx, both: proxy_pass UP; proxy_http_version 1.1;", "twice-nobuf"
        ),
        "twice-nobuf": Configuration(
            "two nginx, both: proxy_pass UP; proxy_http_version 1.1; proxy_buffering off;"
        ),
    }

    def commands(self, folder: Path, upstream: int, ports: Mapping[str, int]) -> list[list[str]]:
        up = f"http://127.0.0.1:{upstream}"
        servers = []
        for name, configuration in self.configurations.items():
            settings = configuration.lines
            target = up
            if name.startswith("twice"):
                both, _, more = settings.removeprefix("two nginx, both: ").partition(INNER)
                inner = f"unix:{folder}/{name}.socket"
                servers.append(server(inner, (both + more).replace("UP", up)))
                settings, target = both, f"http://{inner}:"
            servers.append(server(f"127.0.0.1:{ports[name]}", settings.replace("UP", target)))
        text = NGINX.format(idle=IDLE, servers="\n".join(servers))
        (folder / "nginx.conf").write_text(text, encoding="utf-8")
        return [[self.program, "-e", "stderr", "-p", str(folder), "-c", "nginx.conf"]]


def server(listen: str, settings: str) -> str:
    return f"    server {{ listen {listen}; location / {{ {settings} }} }}"


NGINX = """\
daemon off;
master_process off;
pid nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    proxy_read_timeout {idle}s;
{servers}
}}
"""


class HAProxy(Hop):
    """All configurations are pairs of a frontend and a backend in one file."""

    name = "HAProxy"
    command = ("haproxy", "/usr/sbin/haproxy")
    package = "haproxy"
    versions = ("-v", r"version (\d[\w.]*)")
    idle = f"`timeout server {IDLE}s` (it has no default; 50 s in HAProxy's examples)"
    configurations: ClassVar[Configurations] = {
        "default": Configuration("mode http", "no-delay"),
        "no-delay": Configuration("mode http; option http-no-delay"),
        "buffer-request": Configuration("mode http; option http-buffer-request", "no-delay"),
        "compression": Configuration(
            "mode http; filter compression; compression algo gzip", "compression-types"
        ),
        "compression-no-delay": Configuration(
            "mode http; option http-no-delay; filter compression; compression algo gzip",
            "compression-types",
        ),
        "compression-types": Configuration(
            "mode http; option http-no-delay; filter compression; compression algo gzip;"
            " compression type text/html text/css"
        ),
        "wait-for-body": Configuration(
            "mode http; http-response wait-for-body time 10s", "no-delay"
        ),
        "tcp": Configuration("mode tcp"),
    }

    def commands(self, folder: Path, upstream: int, ports: Mapping[str, int]) -> list[list[str]]:
        sections = []
        for name, configuration in self.configurations.items():
            lines = configuration.lines.split("; ")
            sections.append(
                f"listen {name}\n    bind 127.0.0.1:{ports[name]}\n"
                + "".join(f"    {line}\n" for line in lines)
                + f"    server up 127.0.0.1:{upstream}\n"
            )
        config = folder / "haproxy.cfg"
        config.write_text(HAPROXY.format(idle=IDLE) + "\n".join(sections), encoding="utf-8")
        return [[self.program, "-f", str(config)]]


HAPROXY = """\
global
    nbthread 1

defaults
    timeout connect 5s
    timeout client 50s
    timeout server {idle}s

"""


class Caddy(Hop):
    """All configurations are sites in one Caddyfile."""

    name = "Caddy"
    command = ("caddy",)
    package = "caddy"
    versions = ("version", r"v?(\d[\w.]*)")
    idle = "none by default"
    configurations: ClassVar[Configurations] = {
        "default": Configuration("reverse_proxy UP"),
        "flush": Configuration("reverse_proxy UP { flush_interval -1 }"),
        "encode": Configuration("encode gzip; reverse_proxy UP", "encode-path"),
        "encode-min1": Configuration(
            "encode { gzip; minimum_length 1 }; reverse_proxy UP", "encode-path"
        ),
        "encode-min1-flush": Configuration(
            "encode { gzip; minimum_length 1 }; reverse_proxy UP { flush_interval -1 }",
            "encode-path",
        ),
        "encode-path": Configuration("encode /static/* gzip; reverse_proxy UP"),
        "buffer": Configuration("reverse_proxy UP { buffer_responses }", "default"),
    }

    def commands(self, folder: Path, upstream: int, ports: Mapping[str, int]) -> list[list[str]]:
        sites = []
        for name, configuration in self.configurations.items():
            lines = configuration.lines.replace("UP", f"http://127.0.0.1:{upstream}")
            if not self.version.startswith(("2.5.", "2.6.")):
                lines = lines.replace("buffer_responses", "response_buffers unlimited")
            for mark, line in (("; ", "\n"), ("{ ", "{\n"), (" }", "\n}")):
                lines = lines.replace(mark, line)
            sites.append(f"http://:{ports[name]} {{\nbind 127.0.0.1\n{lines}\n}}\n")
        config = folder / "Caddyfile"
        config.write_text(CADDY.format(folder=folder) + "\n".join(sites), encoding="utf-8")
        return [[self.program, "run", "--config", str(config), "--adapter", "caddyfile"]]


CADDY = """\
{{
    admin off
    auto_https off
    grace_period 1s
    storage file_system {folder}/storage
    log {{
        level FATAL
    }}
}}

"""


class Apache(Hop):
    """All configurations are virtual hosts in one file. The paths of the modules are Debian's."""

    name = "Apache"
    command = ("/usr/sbin/apache2",)
    package = "apache2-bin"
    versions = ("-v", r"Apache/(\S+)")
    idle = f"`ProxyTimeout {IDLE}` (the default is that of `Timeout`, 60 s)"
    configurations: ClassVar[Configurations] = {
        "default": Configuration("ProxyPass / UP"),
        "flushpackets": Configuration("ProxyPass / UP flushpackets=on"),
        "deflate": Configuration("ProxyPass / UP; SetOutputFilter DEFLATE"),
        "deflate-flushpackets": Configuration(
            "ProxyPass / UP flushpackets=on; SetOutputFilter DEFLATE"
        ),
        "buffer": Configuration("ProxyPass / UP; SetOutputFilter BUFFER"),
    }
    modules = ("mpm_event", "authz_core", "filter", "deflate", "buffer", "proxy", "proxy_http")

    def commands(self, folder: Path, upstream: int, ports: Mapping[str, int]) -> list[list[str]]:
        hosts = []
        for name, configuration in self.configurations.items():
            lines = configuration.lines.replace("UP", f"http://127.0.0.1:{upstream}/")
            hosts.append(
                f"Listen 127.0.0.1:{ports[name]}\n<VirtualHost 127.0.0.1:{ports[name]}>\n"
                + lines.replace("; ", "\n")
                + "\n</VirtualHost>\n"
            )
        load = "".join(
            f"LoadModule {each}_module /usr/lib/apache2/modules/mod_{each}.so\n"
            for each in self.modules
        )
        config = folder / "apache.conf"
        text = load + APACHE.format(folder=folder, idle=IDLE) + "\n".join(hosts)
        config.write_text(text, encoding="utf-8")
        return [[self.program, "-D", "FOREGROUND", "-d", str(folder), "-f", str(config)]]


APACHE = """\
ServerName localhost
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/apache.log
ServerLimit 1
StartServers 1
ThreadLimit 300
ThreadsPerChild 300
MaxRequestWorkers 300
MinSpareThreads 1
MaxSpareThreads 300
ProxyTimeout {idle}
<IfModule unixd_module>
    User www-data
    Group www-data
</IfModule>
"""


class Lighttpd(Hop):
    """All configurations are sockets in one file."""

    name = "lighttpd"
    command = ("/usr/sbin/lighttpd",)
    package = "lighttpd"
    versions = ("-v", r"lighttpd/(\S+)")
    seconds = IDLE - 2  # it checks the timeout seldom, so it closes 1 to 2 s late
    idle = f"`\"read-timeout\" => {seconds}` (none by default); it closes up to 2 s later"
    configurations: ClassVar[Configurations] = {
        "default": Configuration("proxy.server = UP", "stream"),
        "stream": Configuration("proxy.server = UP; server.stream-response-body = 2"),
    }

    def commands(self, folder: Path, upstream: int, ports: Mapping[str, int]) -> list[list[str]]:
        host = f'"host" => "127.0.0.1", "port" => {upstream}, "read-timeout" => {self.seconds}'
        up = f'( "" => (( {host} )))'
        sockets = []
        for name, configuration in self.configurations.items():
            lines = configuration.lines.replace("UP", up).replace("; ", "\n")
            sockets.append(f'$SERVER["socket"] == "127.0.0.1:{ports[name]}" {{\n{lines}\n}}\n')
        config = folder / "lighttpd.conf"
        text = LIGHTTPD.format(folder=folder, port=ports["default"]) + "\n".join(sockets)
        config.write_text(text, encoding="utf-8")
        return [[self.program, "-D", "-f", str(config)]]


LIGHTTPD = """\
server.modules = ("mod_proxy")
server.document-root = "{folder}"
server.upload-dirs = ("{folder}")
server.bind = "127.0.0.1"
server.port = {port}

"""
