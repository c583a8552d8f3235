"""Caches and interceptors as hops: Varnish, Squid, mitmproxy."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from .hop import IDLE, Configuration, Configurations, Hop

__all__ = ["Mitmproxy", "Squid", "Varnish"]


class Varnish(Hop):
    """One varnishd. Its VCL checks on which socket the request arrived."""

    name = "Varnish"
    command = ("varnishd", "/usr/sbin/varnishd")
    package = "varnish"
    versions = ("-V", r"varnish-(\d[\w.]*)")
    idle = f"`between_bytes_timeout={IDLE}` (60 s by default)"
    configurations: ClassVar[Configurations] = {
        "default": Configuration("the built-in VCL"),
        "no-stream": Configuration("set beresp.do_stream = false;", "default"),
        "gzip": Configuration("set beresp.do_gzip = true;", "gzip-types"),
        "gzip-types": Configuration(
            'if (beresp.http.Content-Type !~ "^text/event-stream") { set beresp.do_gzip = true; }'
        ),
    }

    def commands(self, folder: Path, upstream: int, ports: Mapping[str, int]) -> list[list[str]]:
        choices = "".join(
            f'    if (local.socket == "{socket(name)}") {{ {configuration.lines} }}\n'
            for name, configuration in self.configurations.items()
            if name != "default"
        )
        config = folder / "hops.vcl"
        text = VCL.format(upstream=upstream, idle=IDLE, choices=choices)
        config.write_text(text, encoding="utf-8")
        sockets = [
            word
            for name, port in ports.items()
            for word in ("-a", f"{socket(name)}=127.0.0.1:{port}")
        ]
        memory = ["-s", "default,8m", "-p", "vsl_space=1m", "-p", "thread_pools=1"]
        place = ["-j", "none", "-F", "-n", str(folder / "varnish"), "-f", str(config)]
        return [[self.program, *place, *sockets, *memory]]


def socket(name: str) -> str:
    """The name of a configuration's socket."""
    return name.replace("-", "_")


VCL = """\
vcl 4.1;
backend up {{
    .host = "127.0.0.1";
    .port = "{upstream}";
    .between_bytes_timeout = {idle}s;
}}
sub vcl_backend_response {{
{choices}}}
"""


class Squid(Hop):
    """One Squid with two ports: a reverse and a forward proxy."""

    name = "Squid"
    command = ("squid", "/usr/sbin/squid")
    package = "squid"
    versions = ("-v", r"Version (\S+)")
    idle = f"`read_timeout {IDLE} seconds` (15 minutes by default); it closes up to 1 s earlier"
    configurations: ClassVar[Configurations] = {
        "reverse": Configuration(
            "http_port PORT accel defaultsite=localhost no-vhost;"
            " cache_peer UP parent 0 no-query originserver"
        ),
        "forward": Configuration("http_port PORT", forward=True),
    }

    def commands(self, folder: Path, upstream: int, ports: Mapping[str, int]) -> list[list[str]]:
        config = folder / "squid.conf"
        text = SQUID.format(folder=folder, idle=IDLE, upstream=upstream, **ports)
        config.write_text(text, encoding="utf-8")
        # Squid puts this name into the names of its shared memory. It must be unique, because
        # another Squid may run on this machine.
        service = f"hops{ports['reverse']}"
        return [[self.program, "-N", "-n", service, "-f", str(config)]]


SQUID = """\
http_port 127.0.0.1:{reverse} accel defaultsite=localhost no-vhost
http_port 127.0.0.1:{forward}
cache_peer 127.0.0.1 parent {upstream} 0 no-query originserver name=up
acl reverse localport {reverse}
cache_peer_access up allow reverse
cache_peer_access up deny all
always_direct deny reverse
never_direct allow reverse
always_direct allow all
http_access allow all
read_timeout {idle} seconds
shutdown_lifetime 0 seconds
pid_filename none
cache_mem 8 MB
cache deny all
access_log none
cache_log /dev/null
cache_store_log none
pinger_enable off
memory_pools off
max_filedescriptors 1024
"""


class Mitmproxy(Hop):
    """One process for each configuration, because a process has only one mode."""

    name = "mitmproxy"
    command = ("mitmdump",)
    package = "mitmproxy"
    versions = ("--version", r"Mitmproxy: (\S+)")
    idle = "none by default"
    configurations: ClassVar[Configurations] = {
        "default": Configuration("mitmdump --mode reverse:UP", "stream"),
        "stream": Configuration("mitmdump --mode reverse:UP --set stream_large_bodies=1"),
    }

    def commands(self, folder: Path, upstream: int, ports: Mapping[str, int]) -> list[list[str]]:
        found = []
        for name, configuration in self.configurations.items():
            words = configuration.lines.replace("UP", f"http://127.0.0.1:{upstream}").split()[1:]
            here = ["--listen-host", "127.0.0.1", "--listen-port", str(ports[name]), "-q"]
            found.append([self.program, *words, *here, "--set", f"confdir={folder}"])
        return found
