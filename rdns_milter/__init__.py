"""rdns-milter: a milter that judges SMTP clients by reverse DNS, HELO and SPF."""

__version__ = "0.1.0"
