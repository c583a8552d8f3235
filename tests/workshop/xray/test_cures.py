"""The program of a hop, and the configuration line that helps."""

import pytest

from workshop.xray.judge.cures import BY_CODE, NAMES, PRODUCTS, cures_of, product_of, with_cures
from workshop.xray.meter.measure import Meter
from workshop.xray.report import Counts, Report, Verdict

SERVER = ("Server", "streaming-workshop")


@pytest.mark.parametrize(
    ("fields", "product"),
    [
        ([("Server", "nginx/1.22.1")], "nginx"),
        ([("server", "openresty")], "nginx"),
        ([("Server", "Caddy"), SERVER], "Caddy"),
        ([SERVER, ("Via", "1.1 Caddy")], "Caddy"),
        ([("Via", "1.1 varnish (Varnish/7.1)"), ("X-Varnish", "2")], "Varnish"),
        ([("Server", "Apache/2.4.71 (Debian)")], "Apache"),
        ([("server", "istio-envoy"), ("x-envoy-upstream-service-time", "1")], "Envoy"),
        ([("Server", "cloudflare"), ("CF-RAY", "8f2-FRA")], "Cloudflare"),
        ([("x-amzn-RequestId", "a"), ("x-amz-apigw-id", "b")], "AWS"),
        ([("Server", "Microsoft-IIS/10.0"), ("X-Powered-By", "ASP.NET")], "IIS"),
        ([("X-Powered-By", "Next.js")], "Next.js"),
        ([("X-Powered-By", "Express")], "Express"),
        ([("Via", "1.1 localhost (squid/5.7)")], "Squid"),
        ([("Server", "uvicorn")], "Python"),
        ([SERVER, ("Via", "1.1 badproxy (buffer)")], ""),
        ([("Server", "not-nginx")], ""),
        ([], ""),
    ],
)
def test_product(fields: list[tuple[str, str]], product: str) -> None:
    assert product_of(fields) == product


def test_what_the_upstream_wrote_names_no_hop() -> None:
    upstream = [("server", "uvicorn"), ("X-Powered-By", "Express")]
    hop = [("Server", "uvicorn"), ("x-powered-by", "Express"), ("X-Cache", "MISS")]
    assert product_of(hop, upstream) == ""
    assert product_of([*hop, ("Via", "1.1 varnish")], upstream) == "Varnish"


def test_the_name_of_a_way_names_a_hop_that_writes_no_field() -> None:
    assert product_of([SERVER], [SERVER], "haproxy-1") == "HAProxy"
    assert product_of([SERVER], [SERVER], "Traefik") == "Traefik"
    assert product_of([("Server", "nginx")], [SERVER], "caddy") == "nginx"
    assert product_of([SERVER], [SERVER], "node") == "Express"
    assert product_of([SERVER], [SERVER], "gzip") == "a compressor"
    assert product_of([SERVER], [SERVER], "hop 2") == ""
    assert set(NAMES.values()) <= {*PRODUCTS, "HAProxy", "Traefik", "a compressor"}


def test_cures() -> None:
    lines = cures_of("buffered-blocks")
    assert next(iter(lines)) == "nginx"
    assert lines["nginx"] == "proxy_buffering off;"
    assert "a pipe" in lines  # standard output
    assert next(iter(cures_of("buffered-blocks", "Caddy"))) == "Caddy"
    assert cures_of("buffered-blocks", "Caddy") == lines
    assert cures_of("buffered-blocks", "unknown") == lines
    assert cures_of("torn-characters", "nginx") == {}
    assert next(iter(cures_of("http10", "nginx"))) == "nginx"
    assert next(iter(cures_of("http10", "Caddy"))) == "every program"
    every = {"nginx", "HAProxy", "Caddy", "Apache", "Varnish", "Envoy", "Traefik", "Cloudflare"}
    every |= {"AWS", "IIS", "Next.js"}
    for code in ("buffered-whole", "coalesced", "compressed-unflushed"):
        assert every <= cures_of(code).keys()
    assert all(line and "\n" not in line for lines in BY_CODE.values() for line in lines.values())


def test_the_program_that_the_response_names() -> None:
    meter = Meter()
    meter.receive_data(0, b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n")
    report = Report(
        url="",
        status=200,
        verdicts=[
            Verdict(code="buffered-whole", sure=0.9, say="", cure="General."),
            Verdict(code="retried", sure=0.9, say="", cure="Other."),
        ],
        counts=Counts(1, 0, 0, 0),
        ttft_ms=None,
        head_ms=0,
        gaps_ms=None,
        wire_bytes=0,
        text_bytes=0,
    )
    report.verdicts.append(
        Verdict(code="coalesced", sure=0.9, say="", cure="Try proxy_buffering off;")
    )
    first, second, third = with_cures(report, meter).verdicts
    assert third.cure == "Try proxy_buffering off;"
    assert first.cure == "General. If nginx does it: proxy_buffering off;"
    assert second.cure == "Other."
    assert with_cures(report, Meter()) == report
