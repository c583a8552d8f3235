"""The proxies of the benchmark. Each has the same upstream, and each in turn has the same core.

    load client  ──  proxy (a core of its own)  ──  upstream.py (on the client's core)

nginx and HAProxy are the limit: they are C, forward bytes, and know nothing of events. Each
configuration is the smallest one that streams, with one worker, and TLS that is verified.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port

from . import UVICORN, Peer, Setting, found

__all__ = ["DIRECT", "FASTAPI", "HAPROXY", "LITELLM", "NGINX", "OURS", "Behind", "proxies"]

OURS, FASTAPI, LITELLM, NGINX, HAPROXY = "ours", "FastAPI + httpx", "LiteLLM", "nginx", "HAProxy"
DIRECT = "no proxy"

Command = Callable[[Setting, Path], list[str]]

KEY = "sk-of-the-proxy"


@dataclass(frozen=True)
class Behind:
    """The upstream: its port, and the CA of its certificate if it speaks TLS."""

    port: int
    ca_file: Path | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.ca_file else 'http'}://localhost:{self.port}"

    @property
    def ca_flags(self) -> list[str]:
        return ["--ca-file", str(self.ca_file)] if self.ca_file else []


NGINX_CONF = """
daemon off; master_process off; error_log stderr; pid {folder}/nginx.pid;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  upstream api {{ server 127.0.0.1:{behind.port}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location / {{
      proxy_pass {scheme}://api;
      proxy_buffering off;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host localhost;
      proxy_set_header Authorization "Bearer sk-of-the-proxy";
      proxy_read_timeout 1h;
      {tls}
    }}
  }}
}}
"""
NGINX_TLS = (
    "proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca}; "
    "proxy_ssl_name localhost; proxy_ssl_server_name on;"
)

HAPROXY_CFG = """
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  option http-no-delay
  timeout connect 10s
  timeout client 1h
  timeout server 1h
  http-reuse safe
frontend front
  bind 127.0.0.1:{port} backlog 2048
  http-request set-header Authorization "Bearer sk-of-the-proxy"
  default_backend api
backend api
  server one 127.0.0.1:{behind.port} {tls}
"""
HAPROXY_TLS = "ssl verify required ca-file {ca} verifyhost localhost sni str(localhost)"


def ours(behind: Behind, folder: Path) -> list[str]:
    command = [sys.executable, "-m", "servers.openai_proxy", "--host", "127.0.0.1", "--port", "0"]
    key = folder / "key"
    key.touch(0o600)
    key.write_text(KEY, encoding="utf-8")
    flags = ["--quiet", "--base-url", f"{behind.url}/v1", "--key-file", str(key)]
    return [*command, *flags, *behind.ca_flags]


def fastapi(behind: Behind, folder: Path) -> list[str]:
    command = [sys.executable, "-m", "tests.bench.peers.fastapi_proxy"]
    return [*command, "--upstream", behind.url, *behind.ca_flags]


def saying(port: int, command: list[str]) -> list[str]:
    """A program that does not print its address, because the address was given to it."""
    return ["sh", "-c", f'echo http://127.0.0.1:{port}/ && exec "$@"', "sh", *command]


def nginx(behind: Behind, folder: Path) -> list[str]:
    port, file = free_port(), folder / "nginx.conf"
    tls = NGINX_TLS.format(ca=behind.ca_file) if behind.ca_file else ""
    scheme = "https" if behind.ca_file else "http"
    text = NGINX_CONF.format(folder=folder, behind=behind, port=port, scheme=scheme, tls=tls)
    file.write_text(text, encoding="utf-8")
    return saying(port, ["nginx", "-e", "stderr", "-p", str(folder), "-c", str(file)])


def haproxy(behind: Behind, folder: Path) -> list[str]:
    port, file = free_port(), folder / "haproxy.cfg"
    tls = HAPROXY_TLS.format(ca=behind.ca_file) if behind.ca_file else ""
    file.write_text(HAPROXY_CFG.format(behind=behind, port=port, tls=tls), encoding="utf-8")
    return saying(port, ["haproxy", "-f", str(file)])


def litellm(behind: Behind, folder: Path) -> list[str]:
    port, file = free_port(), folder / "litellm.yaml"  # JSON is YAML
    model = {"model": "openai/lorem", "api_base": f"{behind.url}/v1", "api_key": "sk-of-the-proxy"}
    models = [{"model_name": "lorem", "litellm_params": model}]
    settings = {"ssl_verify": str(behind.ca_file)} if behind.ca_file else {}
    config = {
        "model_list": models,
        "litellm_settings": {"telemetry": False, **settings},
        "general_settings": {"dangerously_permit_weak_or_unset_master_key": True},
    }
    file.write_text(json.dumps(config), encoding="utf-8")
    flags = ["--config", str(file), "--host", "127.0.0.1", "--port", str(port)]
    return saying(port, [found("litellm") or "litellm", *flags, "--num_workers", "1"])


def proxies(behind: Behind) -> list[Peer]:
    """Return all proxies, with this API as their upstream."""

    def before(command: Callable[[Behind, Path], list[str]]) -> Command:
        return lambda setting, folder: command(behind, folder)

    environment = "pip install 'litellm[proxy]' into an environment of its own, on the PATH"
    return [
        Peer(OURS, before(ours), packages=("trio", "h11")),
        Peer(
            FASTAPI,
            before(fastapi),
            ("fastapi", "httpx", *UVICORN),
            packages=("fastapi", "starlette", "httpx", "h11", *UVICORN),
        ),
        Peer(LITELLM, before(litellm), programs=("litellm",), install=environment),
        Peer(NGINX, before(nginx), programs=("nginx",), install="apt install nginx-light"),
        Peer(HAPROXY, before(haproxy), programs=("haproxy",), install="apt install haproxy"),
    ]
